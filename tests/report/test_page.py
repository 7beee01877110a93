"""The report page: what a reader sees, whatever people, prompts and stages are called."""

import base64
import json
import re
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from mm_model.report import page
from mm_model.report.templating import fill
from mm_model.store.layout import Layout
from tests.report.hostile import IDENTITY, QUOTES, SCRIPT, tree

SEEN = Path(__file__).with_name("page_seen.txt")
"""The page of that tree in its normal form; `python -m tests.report.test_page` writes it anew."""
INLINE = {"b", "span", "code"}
_PICTURE = re.compile(r"data:image/(\w+);base64,([\w+/=]+)")


class _Seen(HTMLParser):
    """Tags, attributes and texts, one a line; white space as a browser shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.names: set[str] = set()
        self._text = ""

    def _end_text(self, tag: str) -> None:
        text = re.sub(r"\s+", " ", _PICTURE.sub(_named, self._text))
        if self.found and self.found[-1].split()[0].strip("</>") not in INLINE:
            text = text.lstrip()
        if tag not in INLINE:
            text = text.rstrip()
        if tag == "style":
            text = re.sub(r"\s*([{}])\s*", r"\1", text)
        if text:
            self.found.append(f"  {text!r}")
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text(tag)
        self.names |= {name for name, _ in attrs}
        said = (f"{name}={_PICTURE.sub(_named, value or '')!r}" for name, value in sorted(attrs))
        self.found.append(" ".join((f"<{tag}>", *said)))

    def handle_endtag(self, tag: str) -> None:
        self._end_text(tag)
        self.found.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}>")


def _named(found: re.Match[str]) -> str:
    return f"[{found[1]}: {base64.b64decode(found[2]).decode()}]"


def _parsed(text: str) -> _Seen:
    parser = _Seen()
    parser.feed(text)
    parser.close()
    return parser


def seen(text: str) -> list[str]:
    return _parsed(text).found


@pytest.fixture
def layout(root: Path, tmp_path: Path) -> Layout:
    return tree(root, tmp_path / "tree")


def test_a_reader_sees_what_the_page_showed(layout: Layout) -> None:
    assert seen(page.render(layout)) == SEEN.read_text("utf-8").splitlines()


def test_what_was_said_by_others_is_text_and_nothing_else(layout: Layout) -> None:
    parsed = _parsed(page.render(layout))
    tags = [line.split()[0] for line in parsed.found if line.startswith("<")]
    assert "<x>" not in tags and not parsed.names & {"onerror", "src=x"}
    ours = parsed.found[parsed.found.index("<script>") + 1]
    assert tags.count("<script>") == 1 and "location.reload" in ours and "alert" not in ours
    said = [line for line in parsed.found if "alert" in line or "7 * 7" in line]
    assert len(said) > 20
    assert all(re.match(r"  |<\w+> (aria-label|alt)=", line) for line in said), (
        "text, or told aloud"
    )


@pytest.mark.parametrize("words", [SCRIPT, QUOTES, IDENTITY])
def test_words_from_a_file_of_numbers_stay_words(layout: Layout, words: str) -> None:
    """Also where our own stages write nothing but names and numbers of ours."""
    path = layout.output("evaluate") / "metrics.json"
    summary = json.loads(path.read_text())
    summary["curve"][0]["variant"] = summary["ladder"][0]["people"] = words
    summary["people"] = words
    path.write_text(json.dumps(summary))
    found = seen(page.render(layout))
    assert sum(repr(words)[1:-1] in line for line in found) >= 3
    assert found.count("<script>") == 1 and "<img> onerror='y' src='x'" not in found


def test_what_is_not_there_yet_leaves_no_section(root: Path, tmp_path: Path) -> None:
    layout = tree(root, tmp_path / "tree")
    shutil.rmtree(layout.data)
    shutil.rmtree(layout.root / "work")
    found = seen(page.render(layout))
    heads = [found[n + 1].strip() for n, line in enumerate(found) if line.startswith("<h2>")]
    assert heads == ["'Not judged yet.'", "'The run'"]
    assert sum(line.startswith("<li> class='waiting'") for line in found) == 9


def test_a_finished_page_is_not_loaded_again(layout: Layout) -> None:
    at_work = layout.root / "work" / "tiny" / "register" / "0" / "out"
    at_work.rename(layout.output("register"))
    (layout.output("register") / "manifest.json").write_text("{}")
    text = page.render(layout)
    assert "location.reload" not in text and "http-equiv" not in text


def test_a_value_that_is_missing_costs_its_section_alone(layout: Layout) -> None:
    (layout.output("ingest") / "report.json").write_text('{"total": 1}')
    path = layout.output("evaluate") / "metrics.json"
    path.write_text(path.read_text().replace('"title": "one"', '"name": "one"'))
    found = seen(page.render(layout))
    broken = [line for line in found if "A part of the page could not be made" in line]
    assert len(broken) == 2, broken
    assert "no attribute 'title'" in broken[0] and "KeyError: 'kept'" in broken[1]
    assert found.count("<h2>") == 16 - 2


def test_methods_are_shown_where_they_were_measured_for_this_profile(
    root: Path, layout: Layout
) -> None:
    """As `make methods` left it; an adapter that was trained since is told."""
    place = layout.root / "work/reproduce/methods/methods.json"
    head = "  'Methods beside each other'"
    shutil.copyfile(root / "docs/media/methods.json", place)
    found = seen(page.render(layout))
    assert head in found and "  'tokens of eight'" in found
    told = found[found.index("  'tokens on magic mirror of four'") :]
    assert {"  '+0.31'", "  '+0.21 to +0.48'"} <= set(told)
    assert "  '67'" in told, "seconds of a learning"
    another = "It was measured with another adapter"
    assert not any(another in line for line in found)
    made = layout.output("finetune") / "manifest.json"
    files = {"adapter/magic_mirror_adapter.safetensors": "0" * 64}
    made.write_text(json.dumps({"files": files}))
    assert any(another in line for line in seen(page.render(layout)))
    said = json.loads(place.read_text())
    place.write_text(json.dumps({**said, "profile": "tiny-long"}))
    assert head not in seen(page.render(layout)), "of another profile"
    place.unlink()
    assert head not in seen(page.render(layout))


def test_a_template_that_names_what_is_not_given_says_so() -> None:
    with pytest.raises(UndefinedError, match="'why' is undefined"):
        fill("damage.html")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = page.render(tree(SEEN.parent.parent.parent, Path(folder)))
    SEEN.write_text("\n".join(seen(made)) + "\n", "utf-8")
