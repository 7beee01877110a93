"""What DVC shows of an evaluation: the candidate's figures, identity by person, the ladder."""

from pathlib import Path

from mm_model.evaluate import variants
from mm_model.store import figures
from mm_model.store.atomic import Document

_OF_CANDIDATE = ("identity", "face_found_rate", "rank1", "fm_ref", "fm_inter", "translation")


def write(out: Path, summary: Document) -> None:
    """Write `figures.json`, `plots/people.csv`, `plots/ladder.csv` and `plots/learning.csv`.

    `summary` is what `metrics.json` holds. Identity is a cosine, all others are shares or as
    docs/metrics.md says.
    """
    chosen, gain = summary["variants"][summary["candidate"]], summary["gain"]["candidate_over_base"]
    figures.write(
        out,
        {
            **{name: chosen[name]["value"] for name in _OF_CANDIDATE if name in chosen},
            **{f"identity_gain_{key}": gain[key] for key in ("value", "low", "high")},
            "people": summary["people"],
        },
    )
    figures.plot(out, "people", _people(summary))
    rungs = [{"rung": one["title"], "rank1": one["rank1"]} for one in summary["ladder"]]
    figures.plot(out, "ladder", rungs)
    points = [
        {"step": point["step"], "variant": point["variant"], "identity": point["identity"]["value"]}
        for point in summary["curve"]
    ]
    figures.plot(out, "learning", points)


def _people(summary: Document) -> list[figures.Point]:
    """A row a person: the mean identity of the candidate, then of each model."""
    measured = summary["per_person"]
    known = {"identity": summary["candidate"], **{name: name for name in variants.MODELS}}
    return [
        {
            "person": person,
            **{
                column: measured[name]["identity"][at]
                for column, name in known.items()
                if name in measured
            },
        }
        for at, person in enumerate(summary["identities"])
    ]
