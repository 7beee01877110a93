"""The page's first section: what the run came to, in sentences that need no other page.

Who is named right by whom, whether the clips move and obey, and whether the release was promoted.
"""

from typing import TYPE_CHECKING

from mm_model.metrics import goals
from mm_model.report import summary as told
from mm_model.report.summary import count
from mm_model.report.templating import fill
from mm_model.store import documents
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

_WHO = {
    "outsider": "A recogniser that took no part",
    "house": "The house judge, a recogniser of this project,",
    "control": "A control",
}
_FROM = {
    "true": "From their true clips: {}, the most that can be asked.",
    "vae": "From true clips packed and unpacked by the video model: {}.",
    "base": "From clips made without their photograph: {}.",
    "pretrain": "From clips made after training on pictures: {}.",
    "finetune": "From clips made after training on clips as well: {}.",
    "training": "From clips made of people it was trained on: {}.",
}


def answer(evaluated: "StageOutput", registered: "StageOutput", film: str = "") -> str:
    """Lead, rungs, motion, verdict, and the film of the training where there is one."""
    summary, release = told.read(evaluated), _release(registered)
    facts = _facts(summary or {})
    return fill(
        "answer.html",
        facts=facts,
        judged=summary is not None,
        verdict=_verdict(release),
        why=(release or {}).get("sentences") or [],
        film=film,
    )


def _release(found: "StageOutput") -> Document | None:
    path = found.folder / "release.json" if found.folder else None
    return documents.read(path) if path is not None and path.is_file() else None


def _verdict(release: Document | None) -> tuple[str, str]:
    """A state of the style sheet, and what became of the release in a few words."""
    if release is None:
        return "waiting", "Not released yet."
    if "experiment" in (release.get("aliases") or ()):
        return "waiting", "An experiment: nothing is registered."
    version = f"Version {release['version']}" if release.get("version") else "The release"
    if release.get("promoted"):
        return "yes", f"{version} was promoted: it is the champion."
    if "champion" in (release.get("aliases") or ()):
        return "yes", f"{version} is the champion."
    if release.get("promoted") is None:
        return "waiting", f"{version} is registered."
    return "no", f"{version} was not promoted; it stays the challenger."


def _facts(summary: Document) -> Document:
    known, named = told.judges(summary), told.named(summary)
    first = told.headline(summary)
    chosen, mine = told.candidate(summary), named.get(first) or {}
    judge = known.get(first) or {}
    return {
        "lead": _lead(judge, mine.get(chosen), _colour(known, named, chosen)),
        "judge": judge.get("title"),
        "rungs": [
            {"words": words.format(_of(mine[short])), "chosen": short == chosen}
            for short, words in _FROM.items()
            if short in mine
        ],
        "further": [*_twins(summary, first, chosen), *_moves(summary, chosen), *_floors(summary)],
        "stages": (summary.get("stages") or {}).get("sentence"),
        "outsider": any(judge.get("kind") == "outsider" for judge in known.values()),
    }


def _of(entry: Document) -> str:
    return f"{count(entry['hits'])} of {count(entry['people'])}"


def _lead(judge: Document, entry: Document | None, colour: str | None) -> str | None:
    if entry is None:
        return None
    who = _WHO.get(str(judge.get("kind")), "A recogniser")
    said = f"{who} names {_of(entry)} people right from the clips; chance is 1"
    return f"{said}; colour of skin and hair alone names {colour}." if colour else f"{said}."


def _colour(
    known: dict[str, Document], named: dict[str, dict[str, Document]], variant: str
) -> str | None:
    for name, judge in known.items():
        entry = (named.get(name) or {}).get(variant)
        if judge.get("kind") == "control" and entry:
            return count(entry["hits"])
    return None


def _twins(summary: Document, judge: str, variant: str) -> list[str]:
    entry = ((summary.get("twins") or {}).get(judge) or {}).get(variant)
    if not entry:
        return []
    chance = f"; guessing gives {count(entry['chance'])}" if entry.get("chance") else ""
    return [f"Among a person and four others of the same colours it picks {_of(entry)}{chance}."]


def _mean(summary: Document, variant: str, measure: str) -> float | None:
    known = (summary.get("variants") or {}).get(variant) or {}
    return (known.get(measure) or {}).get("value")


def _goal(summary: Document, name: str) -> float | None:
    found = (goal.get("value") for goal in summary.get("goals") or [] if goal.get("name") == name)
    return next(found, None)


def _moves(summary: Document, variant: str) -> list[str]:
    """Whether a face is there, moves as in the true clip, and does what the sentence says."""
    said = []
    face = _mean(summary, variant, "face_found_rate")
    alike, over = (_goal(summary, name) for name in ("translation_floor", "motion_over_true"))
    if face is not None:
        other = _other(summary, variant)
        said.append(f"The run's own detector finds a face in {face:.0%} of the frames{other}.")
    if alike is not None:
        said.append(f"{alike:.0%} of the people move about as much as in their true clip.")
    elif over is not None:
        said.append(f"The clips move {over:.2f} times as much as the true ones.")
    obeyed, base, true = (_mean(summary, v, "obeyed") for v in (variant, "base", "true_clip"))
    if obeyed is not None:
        beside = [f"those made without the photograph in {base:.0%}"] if base is not None else []
        beside += [f"the true clips in {true:.0%}"] if true is not None else []
        words = ", ".join(["They do what the sentence says in {:.0%} of the clips", *beside])
        said.append(f"{words.format(obeyed)}.")
    return said


def _other(summary: Document, variant: str) -> str:
    """What the headline judge's own detector finds, beside the true clips', where it has one."""
    named = told.headline(summary)
    known = (summary.get("by_judge") or {}).get(named) or {}
    ours, true = ((known.get(v) or {}).get("face_found") for v in (variant, "true_clip"))
    if not ours or ours.get("value") is None:
        return ""
    judge = told.judges(summary).get(named) or {}
    words = f", that of {judge.get('title') or named} in {ours['value']:.0%}"
    if true and true.get("value") is not None:
        words += f" (of true clips in {true['value']:.0%})"
    return words


def bounds(goal: Document) -> str:
    """The range that a goal asks for, in words."""
    least, most = (None if goal[end] is None else f"{goal[end]:g}" for end in ("least", "most"))
    if least is None:
        return f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"


def title(goal: Document) -> str:
    """What a goal is called on the page."""
    return goal.get("title") or goals.titles().get(goal["name"]) or goal["name"]


def _floors(summary: Document) -> list[str]:
    """How many of the goals that decide, or of all where none does, are reached, and which not."""
    all_goals = summary.get("goals") or []
    deciding = [goal for goal in all_goals if goal.get("decides")]
    asked = [
        goal
        for goal in deciding or all_goals
        if goal.get("passed") is not None or (deciding and goal.get("applies"))
    ]
    if not asked:
        return []
    missed = [goal for goal in asked if not goal["passed"]]
    what = "floors that a release must pass" if deciding else "goals of motion and honesty"
    said = f"It reaches {len(asked) - len(missed)} of {len(asked)} {what}"
    names = "; ".join(f"{title(one)}: {_had(one)}, asked {bounds(one)}" for one in missed)
    return [f"{said}. Not: {names}." if missed else f"{said}."]


def _had(goal: Document) -> str:
    return "cannot be had" if goal["value"] is None else f"{goal['value']:.2f}"
