"""The report page in a real browser: for everybody, on a phone, standing still when asked to."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_model.report import page as report
from mm_model.store.layout import Layout
from tests.report.browsing import DESKTOP, NARROW, PHONE, chromium, opened, unfold, violations
from tests.report.newer import newer
from tests.small_chain import HEIGHT, WIDTH, built, small_root

pytestmark = pytest.mark.slow

KINDS = ("chain", "newer", "begun")
_PLACES = "[...document.querySelectorAll('{}')].map(one => getComputedStyle(one).{})"
STRIPS = _PLACES.format(".play", "backgroundPositionX")
MOMENTS = _PLACES.format(".moment", "visibility")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The small chain's page, the same with all that several judges bring, and one just begun."""
    house, place = built(root, tmp_path_factory), tmp_path_factory.mktemp("pages")
    layouts = {"chain": Layout(house, "tiny")}
    for name in ("newer", "begun"):
        (place / name).mkdir()
        layouts[name] = Layout(small_root(root, place / name / "root"), "tiny")
    for stage in ("evaluate", "register", "pretrain", "finetune"):
        output = layouts["chain"].output(stage)
        shutil.copytree(output, layouts["newer"].output(stage))
    metrics = layouts["newer"].output("evaluate") / "metrics.json"
    metrics.write_text(json.dumps(newer(json.loads(metrics.read_text()))))
    made = {name: place / f"{name}.html" for name in layouts}
    for name, path in made.items():
        path.write_text(report.render(layouts[name]))
        assert "could not be made" not in path.read_text()
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(
    browser: Any, pages: dict[str, Path], kind: str, size: tuple[int, int], scheme: str
) -> None:
    page = opened(browser, pages[kind], size, color_scheme=scheme, reduced_motion="reduce")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(paper.removeprefix("rgb(").split(",")[0]) < 128) == (scheme == "dark")
    unfold(page)
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("size", [PHONE, NARROW], ids=["390", "320"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_scrolls_down_and_never_sideways(
    browser: Any, pages: dict[str, Path], kind: str, size: tuple[int, int]
) -> None:
    page = opened(browser, pages[kind], size)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    boxed = page.evaluate(
        "[...document.querySelectorAll('table, svg, pre')].every(one => one.closest('[tabindex]'))"
    )
    assert boxed, "what is wide scrolls in a box of its own, by keyboard too"
    page.context.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pictures_keep_their_shape(
    browser: Any, pages: dict[str, Path], size: tuple[int, int]
) -> None:
    page = opened(browser, pages["chain"], size)
    unfold(page)
    natural = page.evaluate(
        "[...document.images].map(one => [one.naturalWidth / one.naturalHeight,"
        " one.clientWidth / one.clientHeight, one.clientWidth])"
    )
    strips = page.evaluate(
        "[...document.querySelectorAll('.play, .still')].map(one => one.getBoundingClientRect())"
        f".map(one => [{WIDTH / HEIGHT}, one.width / one.height, one.width])"
    )
    assert len(natural) >= 6 and len(strips) > 50
    for meant, shown, width in [*natural, *strips]:
        assert shown == pytest.approx(meant, rel=0.03) and width > 60
    page.context.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["chain", "newer"])
def test_the_first_screen_holds_the_answer(
    browser: Any, pages: dict[str, Path], kind: str, size: tuple[int, int]
) -> None:
    page = opened(browser, pages[kind], size)
    seen = page.evaluate(
        "[...document.querySelectorAll('h2, .verdict, .answer li, .moment:last-child')]"
        ".map(one => [one.className, one.innerText, one.getBoundingClientRect().bottom])"
    )
    said = [(name, text) for name, text, bottom in seen if bottom <= size[1]]
    assert "people right from the clips; chance is 1" in said[0][1]
    assert said[1][0].startswith("verdict") and "Version 1" in said[1][1]
    assert len([name for name, _ in said if name in ("", "chosen")]) >= 6, "lead and rungs"
    if size == DESKTOP:
        assert any(name == "moment" for name, _ in said), "the film"
    page.context.close()


def _moves(page: Any, what: str) -> bool:
    """Whether what is asked for changes within a second and a half."""
    before = page.evaluate(what)
    for _ in range(15):
        page.wait_for_timeout(100)
        if page.evaluate(what) != before:
            return True
    return False


def test_clips_play_until_the_space_bar_stops_them(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["chain"])
    page.wait_for_timeout(2500)
    assert _moves(page, STRIPS) and _moves(page, MOMENTS), "not once, but again and again"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('label').innerText").strip() == (
        "Stop all clips"
    )
    page.keyboard.press("Space")
    # a clip stops with the next frame that is drawn, which on a busy machine is a late one
    assert any(not _moves(page, f"[{STRIPS}, {MOMENTS}]") for _ in range(5))
    page.keyboard.press("Space")
    assert _moves(page, STRIPS)
    page.context.close()


def test_who_asks_for_less_motion_sees_still_pictures_until_play_is_asked_for(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = opened(browser, pages["chain"], PHONE, reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate(MOMENTS)[-1] == "visible" and page.evaluate(MOMENTS)[0] == "hidden"
    page.get_by_label("Play all clips").check()
    assert _moves(page, STRIPS)
    page.context.close()


def test_what_is_touched_is_large_enough(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["begun"], PHONE)
    sizes = page.evaluate(
        "[...document.querySelectorAll('label, summary')]"
        ".map(one => one.getBoundingClientRect().height)"
    )
    assert len(sizes) >= 2 and min(sizes) >= 44
    page.context.close()


def test_every_clip_says_whose_it_is_and_what_made_it(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["chain"])
    unfold(page)
    said = page.evaluate(
        "[...document.querySelectorAll('article')].map(one => [one.children[0].textContent,"
        " [...one.querySelectorAll('[role=img], img')].map(p => p.ariaLabel || p.alt)])"
    )
    chosen = page.evaluate("document.querySelector('main, body').innerText")
    stage = (
        "after pretraining"
        if "The candidate is the adapter after pretraining" in chosen
        else ("after fine-tuning")
    )
    assert len(said) == 2 + 2 + 4, "two kept best, two kept worst, and everybody"
    for name, pictures in said:
        assert all(words.startswith(f"{name}, ") for words in pictures)
        assert len(set(pictures)) == len(pictures) >= 4
        assert any(stage in words for words in pictures), "the candidate's clip"
    page.context.close()


def test_a_page_at_work_shows_what_is_new_unless_told_not_to(
    browser: Any, pages: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "index.html"
    text = pages["begun"].read_text()
    path.write_text(text)
    page = opened(browser, path)
    page.get_by_label("Stop all clips").check()
    path.write_text(text.replace("Not judged yet.", "Something new."))
    page.get_by_text("Something new.").wait_for(timeout=20_000)
    assert page.get_by_label("Stop all clips").is_checked(), "what was asked for stays"
    page.get_by_label("Show what is new").uncheck()
    path.write_text(text)
    page.wait_for_timeout(11_000)
    assert page.get_by_text("Something new.").is_visible()
    page.context.close()
