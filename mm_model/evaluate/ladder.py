"""The ladder: how much of a person each link of the chain keeps, as rank-1 among the test people.

Gallery: the mean embedding of each person's pictures. Probe: the mean over the frames with a face
of one clip; several clips of a person share that person's hit, so intervals count people. Pure
arithmetic on hits; the judge looks elsewhere (evaluate/study.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass

from mm_model.metrics.intervals import wilson_interval
from mm_model.store.atomic import Document

CANDIDATE = "finetune"
"""The variant that is climbed where none is named."""

TRAINING_PEOPLE = "training_people"
"""The variant's name of the adapter's clips of people it was trained on."""

KEPT = 0.9
"""Whoever keeps this share of the rung before lost nothing more: that rung is to be mended."""

FEWEST = 10
"""Fewer people than this are measured but not judged: chance alone would pass or fail a rung."""


@dataclass(frozen=True)
class Link:
    """A link of the chain: which clips show it, and how much of an earlier link it must keep."""

    variant: str
    title: str
    share: float
    of: str | None
    mend: str


CHAIN = (
    Link(
        "true_clip",
        "true clips",
        0.8,
        None,
        "The people or the judge: at this size they cannot be told apart.",
    ),
    Link(
        "vae_round_trip",
        "true clips through the VAE",
        0.9,
        "true_clip",
        "The VAE: it loses what tells people apart.",
    ),
    Link(
        TRAINING_PEOPLE,
        "adapter, training people",
        0.8,
        "vae_round_trip",
        "Backbone or adapter: even known people are not reproduced; train longer or larger.",
    ),
    Link(
        "finetune",
        "adapter, held-out people",
        0.6,
        "true_clip",
        "Generalisation: more training people, or identity features that carry more.",
    ),
)


@dataclass(frozen=True)
class Rung:
    """One measured link. `needed` and `passed` are None where there is nothing to judge by."""

    variant: str
    title: str
    _: KW_ONLY
    hits: float
    people: int
    rank1: float
    low: float | None
    high: float | None
    needed: float | None
    passed: bool | None
    mend: str | None


def climb(hits: Mapping[str, tuple[float, int]], candidate: str = CANDIDATE) -> list[Document]:
    """The rungs that were measured, in the order of the chain, as plain records.

    `hits` by variant: people recognised and people. `candidate` is the training stage whose adapter
    is climbed. A link that fails names what to mend: the link before where nothing more was lost.
    """
    rungs: list[Rung] = []
    for link in CHAIN:
        variant = candidate if link.variant == CANDIDATE else link.variant
        found, people = hits.get(variant) or (0, 0)
        if not people:
            continue  # nobody was judged
        rank1, (low, high) = found / people, wilson_interval(found, people) or (None, None)
        needed = _needed(link, hits)
        passed = rank1 >= needed - 1e-9 if needed is not None and people >= FEWEST else None
        rungs.append(
            Rung(
                variant,
                link.title,
                hits=found,
                people=people,
                rank1=rank1,
                low=low,
                high=high,
                needed=needed,
                passed=passed,
                mend=_mend(link, rank1, rungs) if passed is False else None,
            )
        )
    return [asdict(rung) for rung in rungs]


def _mend(link: Link, rank1: float, before: Sequence[Rung]) -> str:
    last = before[-1] if before else None
    if last is not None and last.passed is False and rank1 >= KEPT * last.rank1:
        return f"The link before ({last.title}): this one keeps what is left there."
    return link.mend


def _needed(link: Link, hits: Mapping[str, tuple[float, int]]) -> float | None:
    if link.of is None:
        return link.share
    found, people = hits.get(link.of, (0, 0))
    return link.share * found / people if people else None
