"""Whatever lies beside a picture, training gets a prompt it can use, and the table says which."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.nn.cogvideox.backbone import load_text_encoder
from mm_model.nn.cogvideox.tokenizer import load_tokenizer, text_length
from mm_model.nn.identity.prompt import encode_prompts
from mm_model.nn.identity.subject import MOST_REFERENCES
from mm_model.precompute.encode import Encoder
from mm_model.precompute.sample import MAX_REFERENCES, words_of
from mm_model.quality.suites import suite_of
from mm_model.records import CaptionProblem
from mm_model.settings import EvaluateSettings, PrecomputeSettings, ServeSettings, load_profile
from mm_model.store import tables
from tests.stages.conftest import use_input
from tests.stages.test_ingest import photograph, saved

pytestmark = pytest.mark.capability("captions", scale="T")

LATE = "portrait photograph, studio lighting, grey background, a person looks at the camera"
Problem = CaptionProblem
NASTY: dict[str, tuple[bytes, CaptionProblem | None]] = {
    "handed.txt": (LATE.encode(), Problem.LATE_SUBJECT),
    "tag.txt": (b'<img src="a.png"> a woman waves', Problem.TRIGGER),
    "tag after.txt": (b'a woman <img src="a.png"> waves', None),
    "twice.txt": (b"a man img and a woman img", Problem.TRIGGER),
    "nobody.txt": (b"sunset over hills", Problem.NO_SUBJECT),
    "two people.txt": (b"a man and a woman wave", None),
    "friend.txt": (b"my friend, a man, waves", None),
    "friend img.txt": (b"my friend img, a man, waves", None),
    "empty.txt": (b"", Problem.EMPTY),
    "white.txt": (b" \r\n\t ", Problem.EMPTY),
    "control.txt": (b"\x07\x1b", Problem.EMPTY),
    "controls inside.txt": (b"a m\x07an\x1b waves", None),
    "million.txt": (b"x" * 1_000_000, Problem.NO_SUBJECT),
    "million words.txt": (b"a man " + b"waves " * 160_000, None),
    "million emoji.txt": ("😀".encode() * 1_000_000, Problem.TOO_LARGE),
    "emoji.txt": ("😀 a man waves 👩‍👩‍👧".encode(), None),
    "han.txt": ("男人挥手".encode(), Problem.NO_SUBJECT),
    "cyrillic.txt": ("мужчина img машет".encode(), None),
    "arabic.txt": ("رجل يلوح".encode(), Problem.NO_SUBJECT),
    "end.txt": (b"a man </s> waves", Problem.MARK),
    "pad.txt": (b"<pad> a man waves", Problem.MARK),
    "unknown.txt": (b"a man <unk> waves", Problem.MARK),
    "one word.txt": (b"a man" + b"waves" * 90, Problem.NO_SUBJECT),
    "latin.txt": ("a gar\xe7on, a boy".encode("latin-1"), Problem.NOT_TEXT),
    "little.txt": (b"\xff\xfe" + "a man waves".encode("utf-16-le"), None),
    "big.txt": (b"\xfe\xff" + "a man waves".encode("utf-16-be"), None),
    "mark.txt": (b"\xef\xbb\xbfa man waves", None),
    "LOUD.TXT": (b"A MAN WAVES", None),
    "full.jpg.txt": (b"a boy laughs", None),
}


@pytest.fixture
def folder(small_root: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """A folder with a picture for each nasty caption, and one without any."""
    place = small_root / "raw"
    place.mkdir()
    use_sources(small_root, "raw")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    for number, (name, (content, _)) in enumerate(NASTY.items()):
        (place / name).write_bytes(content)
        (place / _picture(name)).write_bytes(saved(photograph(number), "JPEG"))
    (place / "silent.jpg").write_bytes(saved(photograph(900), "JPEG"))
    return place


def _picture(caption: str) -> str:
    return f"{Path(caption).stem.removesuffix('.jpg')}.jpg"


def _text_side(folder: Path) -> Backbone:
    """The parts of a backbone that make prompts; no other is asked for."""
    config = SimpleNamespace(max_text_seq_length=text_length(folder))
    parts = dict.fromkeys(field.name for field in dataclasses.fields(Backbone))
    return Backbone(
        **parts
        | {
            "tokenizer": load_tokenizer(folder / "tokenizer"),
            "text_encoder": load_text_encoder(folder),
            "transformer": SimpleNamespace(config=config),
        }
    )


def _masks(folder: Path, captions: list[str], rules: PrecomputeSettings) -> list[torch.Tensor]:
    """Places of the class word, of each caption for one and for two references."""
    nothing = dict.fromkeys(("book", "known", "sizes"))
    encoder = Encoder(backbone=_text_side(folder), rules=rules, num_frames=1, **nothing)
    wordings = [(text, count) for text in captions for count in words_of(MAX_REFERENCES)]
    return [mask for _, mask in encoder._texts(wordings).values()]


def test_nasty_captions_reach_training_or_are_replaced_and_named(
    small_root: Path, folder: Path, tiny_backbone: Path, run_stage: Callable
) -> None:
    run_stage(small_root, "sources")
    report = run_stage(small_root, "ingest")
    output = small_root / "data" / "tiny" / "ingest"
    rows = {row["name"]: row for row in tables.records(output / "samples.parquet")}
    assert {row["status"] for row in rows.values()} == {"kept"}, "a caption costs no picture"
    problems = {name: problem for name, (_, problem) in NASTY.items()}
    assert {name: rows[_picture(name)]["caption_problem"] for name in NASTY} == problems
    profile = load_profile(small_root, "tiny")
    for name, problem in problems.items():
        row = rows[_picture(name)]
        assert row["caption_origin"] == ("template" if problem else "sidecar"), name
        assert (row["caption"] == profile.ingest.caption_template) == bool(problem), name
        assert bool(row["caption_message"]) == bool(problem), name
    assert rows["silent.jpg"]["caption_origin"] == "template"
    assert rows["silent.jpg"]["caption_problem"] is None
    assert rows["full.jpg"]["caption"] == "a boy laughs"
    replaced = sum(problem is not None for problem in problems.values())
    assert report.metrics["captions_replaced"] == replaced
    (note,) = [note for note in report.notes if "captions that cannot be used" in note]
    assert f": {replaced} (" in note and "2 with the trigger word misplaced" in note

    captions = sorted(row["caption"] for row in rows.values())
    masks = _masks(tiny_backbone, captions, profile.precompute)
    assert {int(mask.sum()) for mask in masks} == {2, 4}
    most = [MOST_REFERENCES] * len(captions)
    tokenizer = load_tokenizer(tiny_backbone / "tokenizer")
    encode_prompts(tokenizer, captions, most, text_length(tiny_backbone))


def test_the_most_references_are_those_that_settings_allow() -> None:
    limits = [
        EvaluateSettings.model_fields["references_per_person"],
        ServeSettings.model_fields["max_references"],
    ]
    assert {mark.le for limit in limits for mark in limit.metadata if hasattr(mark, "le")} == {
        MOST_REFERENCES
    }


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a landscape", "names no subject"),
        (LATE, "beyond the text length of 32 tokens"),
        ("img img", "2 times"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_before_any_file_is_checked(
    small_root: Path,
    folder: Path,
    run_stage: Callable,
    edit_profile: Callable,
    template: str,
    said: str,
) -> None:
    edit_profile(small_root, **{"ingest.caption_template": template})
    run_stage(small_root, "sources")
    with pytest.raises(UserError, match=r"ingest\.caption_template") as refused:
        run_stage(small_root, "ingest")
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert not list((small_root / "work").rglob("shard-*"))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("tokenizer/tokenizer.json", "holds no T5 tokenizer"),
        ("transformer/config.json", "cannot be read"),
    ],
)
def test_a_backbone_without_its_text_side_is_named(
    small_root: Path,
    folder: Path,
    tiny_backbone: Path,
    run_stage: Callable,
    missing: str,
    said: str,
) -> None:
    copy = small_root / "backbone"
    for part in ("tokenizer", "transformer"):
        shutil.copytree(tiny_backbone / part, copy / part)
    (copy / missing).unlink()
    use_input(small_root, "backbone", copy)
    run_stage(small_root, "sources")
    with pytest.raises(UserError, match=said) as refused:
        run_stage(small_root, "ingest")
    assert str(copy) in str(refused.value)


def test_two_captions_and_strays_are_named_in_the_report_of_sources(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    (folder / "full.txt").write_text("a girl laughs")
    (folder / "README.txt").write_text("notes of the photographer")
    report = run_stage(small_root, "sources")
    assert report.metrics["caption_files_unused"] == 2
    said = " ".join(report.notes)
    assert "full.jpg.txt is used, full.txt is not" in said
    assert "text files that caption no photograph or clip: 1, e.g. README.txt" in said


def test_judging_captions_loads_no_model(root: Path, tiny_backbone: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from mm_model.ingest.captions import Captions;"
        f"judge = Captions(Path({str(tiny_backbone)!r}), 'a person');"
        "print(judge.of({'text': 'a man waves'})['caption_origin'], 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["sidecar", "False"]


def test_the_audit_knows_the_problems(root: Path) -> None:
    checks = suite_of("ingest", load_profile(root, "tiny"))
    (known,) = [check for check in checks if check.column == "caption_problem"]
    assert set(known.keywords["value_set"]) == {str(problem) for problem in Problem}
