"""What the pairs stage says of its work: rates and cosines by kind, warnings, and a sheet.

Reads the outcome only. A rate far from the expected is a note for the user, not an error.
"""

from pathlib import Path

import numpy as np

from mm_model.pairs.library import Library
from mm_model.pairs.select import KINDS, Candidate
from mm_model.records import HELD_OUT, TRAIN, Counts, Reason, Row, Status

FEW_PEOPLE = 20
"""Fewer training people than this are worth a warning (design choice)."""

_SHEET = 48
_COLUMNS = 6


def counts_of(tried: list[Candidate]) -> Counts:
    """The account over candidates."""
    return Counts.of_rows([pair.status for pair in tried], [pair.reason for pair in tried])


def metrics_of(library: Library, tried: list[Candidate], warn_above: float) -> Row:
    """Figures over all candidates and by kind; None where there was none of a kind.

    `warn_share_*` is the share of kept pairs with cosine above `warn_above`: near-identical pairs
    teach copying. Self-references are such by construction.
    """
    kept = [pair for pair in tried if pair.status == Status.KEPT]
    served = {pair.target for pair in kept}
    samples = library.samples
    people = {
        side: {one.identity for one in samples.values() if one.split == side}
        for side in (TRAIN, HELD_OUT)
    }
    figures: Row = {
        "pass_rate": len(kept) / len(tried) if tried else None,
        "pairs_train": sum(samples[pair.target].split == TRAIN for pair in kept),
        "pairs_held_out": sum(samples[pair.target].split == HELD_OUT for pair in kept),
        "identities": len(library.references),
        "identities_train": len(people[TRAIN]),
        "identities_held_out": len(people[HELD_OUT]),
        "targets": len(samples),
        "targets_without_pair": len(samples) - len(served),
    }
    for kind in KINDS:
        of_kind = [pair for pair in tried if pair.kind == kind]
        measured = [pair.cosine for pair in of_kind if pair.status == Status.KEPT]
        cosines = [cosine for cosine in measured if cosine is not None]
        figures |= {
            f"pairs_{kind}": len(cosines),
            f"pass_rate_{kind}": len(cosines) / len(of_kind) if of_kind else None,
            f"cosine_mean_{kind}": float(np.mean(cosines)) if cosines else None,
            f"warn_share_{kind}": (
                float(np.mean(np.array(cosines) > warn_above)) if cosines else None
            ),
        }
    return figures


def made_figures(made: list[Row]) -> Row:
    """How many pictures were synthesised, and how many could not be used, by the reason."""
    flaws = [row.get("flaw") for row in made]
    return {
        "made_pictures": sum(row["made"] for row in made),
        "made_without_face": flaws.count(Reason.PAIR_NO_FACE),
        "made_with_too_many_faces": flaws.count(Reason.PAIR_MANY_FACES),
        "made_failed": flaws.count(Reason.SYS_WORKER_CRASH),
    }


def notes_of(metrics: Row, unserved: int, synthesizer: str) -> list[str]:
    """Sentences a user should read."""
    notes = []
    people = metrics["identities_train"]
    if people < FEW_PEOPLE:
        notes.append(
            f"only {people} identities to train on: the adapter will learn little that "
            "holds for other people."
        )
    if metrics["targets_without_pair"]:
        notes.append(
            f"{metrics['targets_without_pair']} of {metrics['targets']} targets have no "
            "pair and will not be used."
        )
    for kind in ("cross", "synthetic"):
        rate = metrics[f"pass_rate_{kind}"]
        if rate is not None and rate < 0.5:
            notes.append(
                f"only {rate:.0%} of the {kind} pairs passed: identities may be mixed, "
                "or pairs.cosine_above does not fit this face pack."
            )
    if (metrics["warn_share_synthetic"] or 0) > 0.5:
        notes.append(
            "most synthetic references are near copies of their targets and teach "
            "copying rather than likeness."
        )
    if metrics["made_with_too_many_faces"]:
        notes.append(
            f"{metrics['made_with_too_many_faces']} of {metrics['made_pictures']} "
            "synthesised pictures show more faces than their origin and are not used."
        )
    if metrics["made_failed"]:
        notes.append(
            f"{metrics['made_failed']} synthesised pictures could not be made; the "
            "message column of pairs.parquet says why."
        )
    if unserved:
        notes.append(
            f"the synthesiser '{synthesizer}' could not serve {unserved} identities "
            "(it draws procedural people only)."
        )
    return notes


def sheet(tried: list[Candidate], pictures: dict[str, np.ndarray]) -> np.ndarray:
    """Each pair side by side, reference left, target right; kind, cosine and verdict below.

    `pictures` holds them by the reference's key and the target's id.
    """
    from mm_model.media.sheet import contact_sheet

    images, labels = [], []
    for pair in tried:
        images += [pictures[pair.reference.key], pictures[pair.target]]
        verdict = "kept" if pair.status == Status.KEPT else "rejected"
        labels += [pair.kind, f"{verdict}{'' if pair.cosine is None else f' {pair.cosine:.2f}'}"]
    return contact_sheet(images, labels, 2 * _COLUMNS)


def chosen_for_sheet(tried: list[Candidate]) -> list[Candidate]:
    """Up to 48 pairs: every kind and the rejected alike get their share, spread evenly."""
    from mm_model.faces.track import spread

    groups = [[p for p in tried if p.status == Status.KEPT and p.kind == kind] for kind in KINDS]
    groups = [group for group in [*groups, [p for p in tried if p.status != Status.KEPT]] if group]
    return [group[i] for group in groups for i in spread(len(group), _SHEET // len(groups))]


def picture_path(file: str, inputs: dict[str, Path], out: Path) -> tuple[Path, int | None]:
    """Path and frame of a `reference_file`, given the folders of the stages."""
    name, _, frame = file.partition("#frame=")
    stage, _, relative = name.partition(":")
    return (out if stage == "pairs" else inputs[stage]) / relative, int(frame) if frame else None
