"""How the word filter does on a file of labelled prompts: `python -m tests.serving.prompts FILE`.

A file is a JSON list of {"prompt": ..., "label": "nudity" | "child" | "ok", "basis": ...}; without
a basis, that of a real person holds.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mm_model.serving.policy import check_prompt
from mm_model.serving.refusal import Code, Refusal

_LABELS = {Code.PROMPT_NUDITY: "nudity", Code.PROMPT_CHILD: "child"}


@dataclass(frozen=True)
class Judged:
    """One labelled prompt and what the filter says of it."""

    prompt: str
    label: str
    basis: str
    said: str


def verdict(prompt: str, basis: str = "written") -> str:
    """`nudity`, `child` or `ok`."""
    try:
        check_prompt(prompt, basis)
    except Refusal as refusal:
        return _LABELS[refusal.code]
    return "ok"


def judged(path: Path) -> list[Judged]:
    """Every prompt of a file."""
    rows = json.loads(path.read_text("utf-8"))
    found = []
    for row in rows:
        basis = row.get("basis") or "written"
        found.append(Judged(row["prompt"], row["label"], basis, verdict(row["prompt"], basis)))
    return found


def summary(rows: list[Judged]) -> list[str]:
    """Lines: shares caught, false refusals, then every prompt that was judged wrongly."""
    lines = []
    for label in ("nudity", "child"):
        asked = [row for row in rows if row.label == label]
        refused = sum(row.said != "ok" for row in asked)
        named = sum(row.said == label for row in asked)
        lines.append(f"{label}: {refused} of {len(asked)} refused, {named} under this code")
    asked = [row for row in rows if row.label != "ok"]
    caught = sum(row.said != "ok" for row in asked)
    good = [row for row in rows if row.label == "ok"]
    false = sum(row.said != "ok" for row in good)
    lines.append(f"caught: {caught} of {len(asked)} ({caught / max(len(asked), 1):.1%})")
    lines.append(f"false refusals: {false} of {len(good)} ({false / max(len(good), 1):.1%})")
    return lines + [
        f"  {row.label} -> {row.said} ({row.basis}): {row.prompt}"
        for row in rows
        if row.said != row.label
    ]


if __name__ == "__main__":
    begun = time.perf_counter()
    result = judged(Path(sys.argv[1]))
    spent = (time.perf_counter() - begun) / max(len(result), 1)
    print("\n".join([*summary(result), f"{1000 * spent:.2f} ms a prompt, tables included"]))
