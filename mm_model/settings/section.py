"""What every part of the configuration is: frozen, and strict about what stands in it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


def _holds_yes(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds_yes, value))
    return isinstance(value, bool)


class Section(BaseModel):
    """A part of a profile: frozen, and strict about unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if cls.model_fields[str(info.field_name)].annotation is not bool and _holds_yes(value):
            raise ValueError("yes and no (true and false) mean nothing here")
        return value


def fields(kind: type[Section]) -> list[tuple[str, ...]]:
    """The names of all values of a tree as they stand in its file, below those of its sections."""
    found: list[tuple[str, ...]] = []
    for name, field in kind.model_fields.items():
        said, inner = field.alias or name, field.annotation
        found.append((said,))
        if isinstance(inner, type) and issubclass(inner, Section):
            found += [(said, *below) for below in fields(inner)]
    return found
