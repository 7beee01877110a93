"""The numbers that may be asked of a clip, each declared once.

From here come a request's fields with their checks, the options of the command `generate`, what the
record beside a clip keeps for `--again`, and the table in `mlflow/README.md`. Light to import.
"""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mm_model.diffusion.frames import check_frame_count
from mm_model.errors import UserError
from mm_model.serving.refusal import Code, Refusal

if TYPE_CHECKING:
    from mm_model.settings import ServeSettings

MAX_SEED = 2**32 - 1


class Model(NamedTuple):
    """What a served model allows: its limits, and the frames of a clip where none are asked for."""

    limits: "ServeSettings"
    num_frames: int


Check = Callable[[str, Any, Model], None]
"""`check(name, value, model)` returns where the value is allowed and raises `Refusal` else."""


@dataclass(frozen=True)
class Field:
    """One number of a record. `attribute` is its name in `Request`.

    default: where a record is silent. option: of the command line, without dashes; several fields
    may share one. says: for readers of the documentation, help: for those of `generate --help`.
    later: whether there are records of clips that were made before there was this field; they were
    made with its default.
    """

    name: str
    attribute: str
    _: KW_ONLY
    whole: bool
    default: Callable[[Model], float]
    check: Check
    option: str
    help: str
    says: str
    later: bool

    def fits(self, value: object) -> bool:
        """Whether the value is of the field's kind; yes and no are no numbers."""
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)

    def read(self, record: Mapping[str, Any], model: Model) -> float:
        """The number of a record, or the default.

        Raises:
            Refusal: it is no such number, or not allowed.
        """
        value = record.get(self.name)
        if value is None:
            value = self.default(model)
        if not self.fits(value):
            kind = "a whole number" if self.whole else "a number"
            raise Refusal(Code.WRONG_TYPE, f"{self.name} must be {kind}.")
        self.check(self.name, value, model)
        return value if self.whole else float(value)


def between(code: Code, low: float, high: float | Callable[[Model], float]) -> Check:
    """A check for a number from `low` to `high`; `Code.NUMBER` where it has no code of its own."""

    def check(name: str, value: Any, model: Model) -> None:
        most = high(model) if callable(high) else high
        if not low <= value <= most:  # false for NaN as well
            raise Refusal(code, f"{name} must lie between {_said(low)} and {_said(most)}.")

    return check


def _said(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _frames(_: str, count: int, model: Model) -> None:
    most = model.limits.max_frames
    try:
        check_frame_count(count, most)
    except UserError:
        raise Refusal(
            Code.FRAME_COUNT,
            f"num_frames must be 1 or 8k+1 (9, 17, 25, ...) and at most {most}.",
        ) from None


def _with_the_other(name: str, value: int, model: Model) -> None:
    """Height and width are allowed together: `request.read` looks at the pair."""


def asked(
    default: Callable[[Model], float],
    *,
    check: Check,
    option: str,
    help: str,
    says: str,
    name: str | None = None,
    later: bool = False,
) -> Any:
    """A field of `Numbers`; `name` in a record is that of the attribute where it is not told."""
    told = {
        "name": name,
        "default": default,
        "check": check,
        "option": option,
        "help": help,
        "says": says,
        "later": later,
    }
    return field(metadata=told)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers of a clip, in the order in which they are read. Another one is one more field
    here; what makes clips reads it from the `Request`.
    """

    num_frames: int = asked(
        lambda model: model.num_frames,
        check=_frames,
        option="frames",
        help="1 or 8k+1",
        says="1 or 8k+1, up to the limit",
    )
    steps: int = asked(
        lambda model: model.limits.default_steps,
        name="num_inference_steps",
        check=between(Code.STEPS, 1, lambda model: model.limits.max_steps),
        option="steps",
        help="denoising steps",
        says="1 to the limit",
    )
    seed: int = asked(
        lambda _: secrets.randbelow(MAX_SEED + 1),
        check=between(Code.SEED, 0, MAX_SEED),
        option="seed",
        help="drawn and told when absent",
        says=f"0 to {MAX_SEED}; drawn and told in the reply when absent",
    )
    height: int = asked(
        lambda model: model.limits.sizes[0][0],
        check=_with_the_other,
        option="size",
        help="in pixels, as in 480x720",
        says="one of the allowed sizes",
    )
    width: int = asked(
        lambda model: model.limits.sizes[0][1],
        check=_with_the_other,
        option="size",
        help="in pixels, as in 480x720",
        says="one of the allowed sizes",
    )
    guidance: float = asked(
        lambda model: model.limits.default_guidance,
        name="guidance_scale",
        check=between(Code.GUIDANCE, 1, lambda model: model.limits.max_guidance),
        option="guidance",
        help="how closely the prompt is followed",
        says="1 to the limit",
    )
    gamma: float = asked(
        lambda _: 0.0,
        name="noise_prior_gamma",
        check=between(Code.NUMBER, 0, 1),
        option="gamma",
        help="how alike the frames' noise is, 0 to 1: more is steadier and moves less",
        says="0 to 1, 0 when absent: how alike the frames' noise is; more is steadier and moves "
        "less (Magic-Me's noise prior)",
        later=True,
    )


def _declared() -> tuple[Field, ...]:
    found = []
    for one in dataclasses.fields(Numbers):
        told = dict(one.metadata)
        name = told.pop("name") or one.name
        found.append(Field(name, one.name, whole=one.type is int, **told))
    return tuple(found)


FIELDS = _declared()
"""Every number of a record."""


def read(record: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """The numbers of a record by attribute of `Numbers`, silent ones filled in.

    Raises:
        Refusal: with the first that is not allowed.
    """
    return {one.attribute: one.read(record, model) for one in FIELDS}


def recorded(numbers: Numbers) -> dict[str, float]:
    """The numbers by their names in a record."""
    return {one.name: getattr(numbers, one.attribute) for one in FIELDS}


def agree(recorded: Mapping[str, float], asked: Mapping[str, Any]) -> bool:
    """Whether a record's numbers are those that were asked for; None asks for none."""
    return all(recorded.get(name) == value for name, value in asked.items() if value is not None)


def by_option() -> dict[str, tuple[Field, ...]]:
    """Option of the command line to the fields that it gives, in order."""
    options = dict.fromkeys(one.option for one in FIELDS)
    return {name: tuple(one for one in FIELDS if one.option == name) for name in options}
