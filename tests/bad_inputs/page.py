"""The page of all kinds, from the same list that the test goes by."""

from tests.bad_inputs.port import Kind
from tests.bad_inputs.table import kinds

_HEAD = """# Bad input

What becomes of files that nobody should trust. Every kind is made by a script (`tests/bad_inputs`),
and a test takes them through the stages `sources` and `ingest` as one folder: one of each kind by
`make test`, all of them by `make test-slow` (`tests/stages/test_bad_inputs.py`). It holds that each
has one row with the reason named here, that the counts add up (in = kept + rejected + failed), and
that nothing is written outside the stages' own folders. Reasons with a bound stand in
[filters.md](filters.md). This page is written by `python -m tests.bad_inputs docs/bad-inputs.md`.

"""
_TITLES = {
    "pictures": "Pictures",
    "clips": "Clips",
    "places": "Names, links, and what is no file",
    "captions": "Captions",
    "archives": "Tars and tables",
}
_TABLE = "| Kind | How it is made | What becomes of it | Files |\n|---|---|---|---|"


def text() -> str:
    """The whole page."""
    found = kinds()
    parts = [_HEAD + f"{len(found)} kinds, {sum(one.variants for one in found)} variants.\n"]
    for module, title in _TITLES.items():
        own = [one for one in found if one.make.__module__.endswith(module)]
        parts.append("\n".join([f"## {title}\n", _TABLE, *map(_row, own), ""]))
    return "\n".join(parts)


def _row(one: Kind) -> str:
    becomes = f"`{one.becomes}`" if one.becomes.isupper() else one.becomes
    told = f"{becomes}: {one.note}" if one.note else becomes
    return f"| {one.name} | {one.how} | {told} | {one.variants} |"
