"""What MLflow is told of a run beside its own numbers: data, the whole configuration, rules.

Plain values: nothing here knows a stage, MLflow or a file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from mm_model.store.atomic import Document

Samples = Literal["none", "tree", "all"]
TRAINING, EVALUATION, PROCESSING, MODEL = "training", "evaluation", "processing", "model"
"""What a run took its data for, as MLflow shows it beside a dataset."""
DIGEST_CHARACTERS = 32
"""Of a digest: MLflow keeps no more than 36."""


@dataclass(frozen=True)
class TrackedData:
    """One input of a run: what MLflow calls a dataset.

    path: from the root, as DVC knows it. digest: of its content, in hexadecimal. dvc: DVC's own
    name of that version (MD5), None where DVC recorded none. samples: how many it holds.
    """

    name: str
    path: str
    _: KW_ONLY
    digest: str
    context: str
    dvc: str | None = None
    samples: int | None = None

    def as_document(self) -> Document:
        """JSON-able form, as it is spooled."""
        return {
            "name": self.name,
            "digest": self.digest[:DIGEST_CHARACTERS],
            "context": self.context,
            "source": {"uri": self.path, "dvc_md5": self.dvc},
            "profile": {"num_rows": self.samples} if self.samples is not None else {},
            "tags": {"digest": self.digest, "dvc.path": self.path, "dvc.md5": self.dvc or ""},
        }


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a stage's run is told: its data, and the configuration of the whole pipeline run.

    whole: values by section, which become parameters of the pipeline's run. samples: where pictures
    and clips may go. system_seconds: between two readings of the machine, None for none.
    """

    data: tuple[TrackedData, ...]
    whole: Mapping[str, Any]
    samples: Samples
    system_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a finished stage says for its pipeline's run: figures, curves by step, sentences.

    metrics: by name, None where unavailable. curves: points as (step, metrics). digest: of the
    output. note: Markdown.
    """

    metrics: Mapping[str, float | int | bool | None]
    curves: tuple[tuple[int, Mapping[str, float | None]], ...]
    digest: str
    note: str


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A tree of values as (path, text), `a.b.c` for the one below a, b and c."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, str(value)
