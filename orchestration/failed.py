"""The audit of an output that failed it, and so lies aside and not in its place."""

from pathlib import Path

from mm_model.store.layout import Layout


def audit(layout: Layout, stage: str, since: float) -> Path | None:
    """The newest `audit.json` that the stage left aside since a time of day; None without one."""
    aside = layout.work(stage, "*")
    written = [(path.stat().st_mtime, path) for path in aside.parent.glob("*/out/audit.json")]
    recent = [one for one in written if one[0] >= since - 1]
    return max(recent)[1] if recent else None
