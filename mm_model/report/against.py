"""A run's figures held against those of a stored run: does each lie within the stored interval?

What two judges say is compared only where both runs were judged by the same weights; nothing is
where other people were tested, or the same in another way.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mm_model.errors import UserError
from mm_model.metrics import table
from mm_model.metrics.intervals import wilson_interval
from mm_model.metrics.port import Evident


class _Figures(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Span(_Figures):
    """A mean with its 95% interval; None where it cannot be had."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Named(_Figures):
    """People named right, of how many, and the interval of the share."""

    hits: float
    people: int
    low: float | None = None
    high: float | None = None

    @property
    def share(self) -> Span:
        """As a share of the people."""
        value = self.hits / self.people if self.people else None
        return Span(value=value, low=self.low, high=self.high)


class Chosen(_Figures):
    """People told from their colour twins, of how many."""

    hits: float
    people: int

    @property
    def share(self) -> Span:
        """As a share of the people, with Wilson's interval."""
        low, high = wilson_interval(self.hits, self.people) or (None, None)
        value = self.hits / self.people if self.people else None
        return Span(value=value, low=low, high=high)


class JudgedBy(_Figures):
    """What is known of a judge; `pack` describes its weights."""

    pack: dict[str, Any] = {}

    @property
    def digest(self) -> str | None:
        """Digest of its weights."""
        found = self.pack.get("digest")
        return str(found) if found is not None else None


class Evaluation(_Figures):
    """The part of `make figures` that is compared."""

    variants: dict[str, dict[str, Span]]
    gain: dict[str, Span] = {}
    judges: dict[str, JudgedBy] = {}
    headline: str | None = None
    named: dict[str, dict[str, Named]] = {}
    twins: dict[str, dict[str, Chosen]] = {}
    people: int | None = None
    candidate: str | None = None
    test_set_digest: str | None = None

    def digest(self, judge: str | None) -> str | None:
        """Digest of a judge's weights; None where there is no such judge."""
        return self.judges[judge].digest if judge in self.judges else None


class Stored(_Figures):
    """What `make figures` printed."""

    profile: str
    evaluation: Evaluation


@dataclass(frozen=True)
class Comparison:
    """How many figures were compared, a sentence for each that lies outside, and what was not.

    `apart` says why the two runs cannot be compared at all.
    """

    compared: int
    outside: tuple[str, ...]
    passed_over: tuple[str, ...]
    apart: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether something was compared and all of it lies within."""
        return self.compared > 0 and not self.outside and not self.apart

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell people."""
        account = f"{self.compared} figures compared, {len(self.outside)} outside their interval."
        return (*self.apart, *self.outside, *self.passed_over, account)


def read(path: Path) -> Stored:
    """The figures in a file that `make figures` wrote.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    try:
        return Stored.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name a stored run.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"{path} holds no figures of a run ({where}: {first['msg']}): store one with "
            "'make figures > FILE'."
        ) from None


def compare(now: dict[str, Any], stored: Stored) -> Comparison:
    """Hold what `figures.collect` says now against a stored run.

    Raises:
        UserError: this tree has no evaluation or a damaged one, or the profiles differ.
    """
    if not now.get("evaluation"):
        raise UserError("This tree has no evaluation to compare: start with 'make run'.")
    try:
        ours = Stored.model_validate(json.loads(json.dumps(now)))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"This tree's figures cannot be compared ({'.'.join(map(str, first['loc']))}: "
            f"{first['msg']}): evaluate anew with 'make run'."
        ) from None
    if ours.profile != stored.profile:
        raise UserError(
            f"The stored run is of profile '{stored.profile}', this one of '{ours.profile}': "
            "compare runs of one profile."
        )
    same, passed_over = _judges(ours.evaluation, stored.evaluation)
    remarks, apart = _tests(ours.evaluation, stored.evaluation, same)
    if apart:
        return Comparison(0, (), (*remarks, *passed_over), apart)
    compared, outside = 0, []
    for name, mine, theirs in _pairs(ours.evaluation, stored.evaluation, same):
        if theirs.low is None or theirs.high is None:
            continue
        compared += 1
        if mine.value is None or not theirs.low <= mine.value <= theirs.high:
            said = "not to be had" if mine.value is None else f"{mine.value:.4f}"
            outside.append(f"{name}: {said}, stored {theirs.low:.4f} to {theirs.high:.4f}.")
    return Comparison(compared, tuple(outside), (*remarks, *passed_over))


def _tests(
    ours: Evaluation, theirs: Evaluation, same: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sentences on what differs in what was tested, and those that say the two are no match.

    The digest of a test set covers the headline judge: of two judges it says nothing.
    """
    said, apart = [], []
    if _differ(ours.people, theirs.people):
        apart.append(
            f"Not comparable: {ours.people} people were tested, in the stored run {theirs.people}."
        )
    elif _differ(ours.test_set_digest, theirs.test_set_digest):
        if _alike(ours, theirs, same):
            apart.append(
                "Not comparable: the stored run is of another test set, or tested in another way "
                "(sampler, detector or how figures are computed)."
            )
        else:
            said.append(
                "The headline is another judge's: whether the same people were tested cannot be "
                "told."
            )
    if _differ(ours.candidate, theirs.candidate):
        said.append(
            f"The candidate is {ours.candidate}, in the stored run {theirs.candidate}: each "
            "stage is compared under its own name."
        )
    return tuple(said), tuple(apart)


def _differ(mine: object, theirs: object) -> bool:
    """Whether both are known and not equal."""
    return mine is not None and theirs is not None and mine != theirs


def _alike(ours: Evaluation, theirs: Evaluation, same: set[str]) -> bool:
    """Whether both headlines are by the same weights."""
    return ours.headline == theirs.headline and (ours.headline is None or ours.headline in same)


def _judges(ours: Evaluation, theirs: Evaluation) -> tuple[set[str], tuple[str, ...]]:
    """Judges whose weights are equal in both runs, and a sentence on each other one."""
    same, said = set(), []
    for name in sorted({*ours.judges, *theirs.judges}):
        if name not in ours.judges or name not in theirs.judges:
            where = "the stored run" if name in theirs.judges else "this run"
            said.append(f"Judge {name} judged only {where}: not compared.")
        elif ours.digest(name) != theirs.digest(name):
            said.append(f"Judge {name} has other weights than in the stored run: not compared.")
        else:
            same.add(name)
    return same, tuple(said)


def _pairs(
    ours: Evaluation, theirs: Evaluation, same: set[str]
) -> Iterator[tuple[str, Span, Span]]:
    """Name, this run's figure and the stored one, of all that can be compared."""
    none = Span(value=None)
    alike = _alike(ours, theirs, same)
    judged = {
        column.mean
        for metric in table.METRICS
        if Evident.EMBEDDINGS in metric.needs
        for column in metric.columns
    }
    for variant, measures in theirs.variants.items():
        for name, span in measures.items():
            if alike or name not in judged:
                yield f"{variant}.{name}", ours.variants.get(variant, {}).get(name, none), span
    if alike:
        for name, span in theirs.gain.items():
            yield f"gain.{name}", ours.gain.get(name, none), span
    for judge in sorted(same & set(theirs.named)):
        for variant, named in theirs.named[judge].items():
            mine = ours.named.get(judge, {}).get(variant)
            yield f"named.{judge}.{variant}", mine.share if mine else none, named.share
    for judge in sorted(same & set(theirs.twins)):
        for variant, chosen in theirs.twins[judge].items():
            ours_chosen = ours.twins.get(judge, {}).get(variant)
            told = ours_chosen.share if ours_chosen else none
            yield f"twins.{judge}.{variant}", told, chosen.share
