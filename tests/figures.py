"""What README and docs/results.md quote of stored runs, so that no figure is written by hand.

`python -m tests.figures store [NAME]` keeps the last run's figures (`make figures`) below
docs/runs, under that name or its profile's. `python -m tests.figures` writes the pages' parts
between markers anew. Goals are judged by today's bounds, not by the run's.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "docs" / "runs"
PLAIN = "tiny"
"""`make run` and nothing else: what anybody's run is compared with."""

JUDGED = "tiny-judges"
"""The same with outsiders on the shelf (`make judges`, `make judges FACEPACK=...`)."""

VARIANTS = {
    "true": "true clips",
    "vae": "true, through the VAE",
    "training": "adapter, people it was trained on",
    "finetune": "adapter after both stages",
    "pretrain": "adapter after pictures",
    "base": "base, no identity",
}
STUDIED = {
    "base": "base",
    "pretrain": "after pictures",
    "finetune": "after clips",
    "true_clip": "true clip",
}
MEASURES = ("identity", "identity_shown", "face_found_rate", "fm_ref", "fm_inter")
Run = dict[str, Any]


def stored(name: str) -> Run:
    """A stored run."""
    return json.loads((RUNS / f"{name}.json").read_text(encoding="utf-8"))


def store(name: str | None) -> Path:
    """Keep the figures of this tree's last run; times and account of the stages among them."""
    said = subprocess.run(
        [sys.executable, "-m", "mm_model", "figures"], cwd=ROOT, check=True, capture_output=True
    )
    found = json.loads(said.stdout)
    for part in ("run", "release"):
        found.pop(part, None)
    found["evaluation"].pop("curve", None)
    found["seconds"] = {stage: round(value) for stage, value in found["seconds"].items()}
    for stage in found["stages"].values():
        stage.pop("metrics", None)
    RUNS.mkdir(exist_ok=True)
    target = RUNS / f"{name or found['profile']}.json"
    target.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return target


def _span(entry: Run | None, form: str = ".2f") -> str:
    if not entry or entry.get("value") is None:
        return "none"
    said = format(entry["value"], form)
    if entry.get("low") is None:
        return said
    return f"{said} ({format(entry['low'], form)} to {format(entry['high'], form)})"


def _count(value: float) -> str:
    return f"{value:.4g}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    line = "| " + " | ".join(head) + " |"
    return [line, "|---" * len(head) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def _titles(run: Run) -> dict[str, str]:
    return {name: judge["title"] for name, judge in run["evaluation"]["judges"].items()}


def named() -> Iterator[str]:
    """Whom each judge names right."""
    said = stored(JUDGED)["evaluation"]
    titles = _titles(stored(JUDGED))
    people = said["people"]
    yield f"People named right, of {people} (chance is 1):"
    yield ""
    rows = []
    for judge, title in titles.items():
        found = said["named"][judge]
        rows.append([title, *(_count(found[v]["hits"]) if v in found else "" for v in VARIANTS)])
    yield from _table(["judge", *VARIANTS.values()], rows)
    if said.get("twins"):
        chance = next(iter(next(iter(said["twins"].values())).values()))["chance"]
        yield ""
        yield (
            f"Named right between the person and four twins of the same colours (chance is "
            f"{_count(chance)}):"
        )
        yield ""
        shown = [v for v in VARIANTS if v != "training"]
        rows = [
            [
                title,
                *(
                    _count(said["twins"][judge][v]["hits"]) if v in said["twins"][judge] else ""
                    for v in shown
                ),
            ]
            for judge, title in titles.items()
            if judge in said["twins"]
        ]
        yield from _table(["judge", *(VARIANTS[v] for v in shown)], rows)


def means() -> Iterator[str]:
    """Means over people with their intervals, of the plain run."""
    from mm_model.metrics import table

    run = stored(PLAIN)["evaluation"]
    heads = dict(table.headings())
    shown = [v for v in STUDIED if v in run["variants"]]
    rows = [
        [heads.get(name, name), *(_span(run["variants"][v].get(name)) for v in shown)]
        for name in heads
    ]
    yield from _table(["mean (95% interval)", *(STUDIED[v] for v in shown)], rows)
    yield ""
    gains = run["gain"]
    pairs = {
        "finetune_over_base": "after clips, over the base",
        "pretrain_over_base": "after pictures, over the base",
        "candidate_over_shuffled": "the candidate, own over another person's pictures",
    }
    rows = [[title, _span(gains[name], "+.3f")] for name, title in pairs.items() if name in gains]
    yield from _table(["identity, paired", "difference (95% interval)"], rows)


def judged_gain() -> Iterator[str]:
    """What each judge says of the gain."""
    run = stored(JUDGED)["evaluation"]
    titles = _titles(stored(JUDGED))
    shown = ["base", "pretrain", "finetune", "true_clip"]
    rows = []
    for judge, title in titles.items():
        found = run["by_judge"].get(judge, {})
        rows.append([title, *(_span(found.get(v, {}).get("identity")) for v in shown)])
    yield from _table(["identity by", *(STUDIED[v] for v in shown)], rows)
    gain = run["gain"].get("candidate_over_base") or run["gain"]["finetune_over_base"]
    yield ""
    yield (
        f"Gain of the candidate over the base by the headline's judge ({titles[run['headline']]}): "
        f"{_span(gain, '+.3f')}."
    )


def goals() -> Iterator[str]:
    """The goals of the plain run by today's bounds."""
    from mm_model.metrics import goals as today

    run = stored(PLAIN)["evaluation"]
    known = {goal.name: goal for goal in today.GOALS}
    rows = []
    for one in run["goals"]:
        goal = known.get(one["name"])
        if goal is None or one["value"] is None:
            continue
        value = one["value"]
        passed = (goal.least is None or value >= goal.least) and (
            goal.most is None or value <= goal.most
        )
        asked = " to ".join(f"{b:g}" for b in (goal.least, goal.most) if b is not None)
        if goal.least is None or goal.most is None:
            asked = f"at {'least' if goal.most is None else 'most'} {asked}"
        weight = "decides" if goal.decides else "told"
        rows.append([goal.title, f"{value:.2f}", asked, weight, "met" if passed else "**missed**"])
    yield from _table(["goal", "is", "asked", "", ""], rows)


PAGES: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    "README.md": {"named": named},
    "docs/results.md": {
        "named": named,
        "means": means,
        "judged gain": judged_gain,
        "goals": goals,
    },
}
"""Page to its parts, by the name in their markers."""


def filled(text: str, parts: dict[str, Callable[[], Iterator[str]]]) -> str:
    """A page with every part written anew.

    Raises:
        ValueError: a part's markers are not there exactly once.
    """
    for name, make in parts.items():
        begin = f"<!-- {name}: written by python -m tests.figures -->"
        end = f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{begin} and {end} must stand there once")
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = "\n".join([before + begin, "", *make(), "", end + after])
    return text


def main() -> None:
    """Store a run, or write the pages' parts."""
    match sys.argv[1:]:
        case ["store", *name]:
            print(store(name[0] if name else None))
        case []:
            for page, parts in PAGES.items():
                path = ROOT / page
                path.write_text(filled(path.read_text("utf-8"), parts), encoding="utf-8")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
