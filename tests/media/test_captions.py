"""Caption files: which belongs to which picture, what encodings are read, what is refused."""

from pathlib import Path

import pytest

from mm_model.media.captions import MAX_CHARACTERS, CaptionError, clean, read_caption, sidecars
from mm_model.media.failure import MediaError
from mm_model.media.folder import Found, contents_of
from mm_model.records import CaptionProblem, Reason


def _file(folder: Path, content: bytes) -> Found:
    path = folder / "a.txt"
    path.write_bytes(content)
    return Found(path, Path("a.txt"))


def _beside(folder: Path, *names: str) -> tuple[dict[str, list[str]], list[str]]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    contents = contents_of(folder)
    found = sidecars(contents.media, contents.texts)
    of = {str(media): [str(t.relative) for t in texts] for media, texts in found.of.items()}
    return of, [str(text.relative) for text in found.stray]


WORDS = "a wöman smiles"


@pytest.mark.parametrize(
    "content",
    [
        WORDS.encode(),
        WORDS.encode("utf-8-sig"),
        WORDS.encode("utf-16"),
        b"\xff\xfe" + WORDS.encode("utf-16-le"),
        b"\xfe\xff" + WORDS.encode("utf-16-be"),
        b"\xff\xfe\0\0" + WORDS.encode("utf-32-le"),
        b"\0\0\xfe\xff" + WORDS.encode("utf-32-be"),
        "\ufeff  a wo\u0308man\n\tsmiles\u200b \x07 ".encode(),
    ],
)
def test_unicode_of_any_announced_kind_is_one_clean_line(tmp_path: Path, content: bytes) -> None:
    assert read_caption(_file(tmp_path, content)) == WORDS


@pytest.mark.parametrize(
    ("content", "problem", "said"),
    [
        (WORDS.encode("latin-1"), CaptionProblem.NOT_TEXT, "not UTF-8 text: save it as UTF-8"),
        (b"a\0b", CaptionProblem.NOT_TEXT, "NUL"),
        (WORDS.encode("utf-16-le"), CaptionProblem.NOT_TEXT, "UTF-8"),
        (b"\xff\xfe\x00", CaptionProblem.NOT_TEXT, "UTF-16"),
        (b"\xff\xfe\x00\xd8", CaptionProblem.NOT_TEXT, "UTF-16"),
        (b"\xff\xd8\xff\xe0 JFIF", CaptionProblem.NOT_TEXT, "UTF-8"),
        (b"x" * (1 << 21), CaptionProblem.TOO_LARGE, "1 MiB"),
        (b"", CaptionProblem.EMPTY, "no visible text"),
        (b" \r\n\t", CaptionProblem.EMPTY, "no visible text"),
        ("\x1b\x07\u200b\ufeff".encode(), CaptionProblem.EMPTY, "no visible text"),
    ],
)
def test_what_is_no_caption_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, problem: CaptionProblem, said: str
) -> None:
    with pytest.raises(CaptionError, match=said) as refused:
        read_caption(_file(tmp_path, content))
    assert refused.value.problem == problem


def test_a_caption_file_that_cannot_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    escaped = MediaError(Reason.IO_SYMLINK_ESCAPE, "the link leads out of the folder")
    with pytest.raises(CaptionError, match="leads out") as refused:
        read_caption(Found(tmp_path / "a.txt", Path("a.txt"), escaped))
    assert refused.value.problem == CaptionProblem.UNREADABLE
    file = _file(tmp_path, b"a man")

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CaptionError, match="permission denied"):
        read_caption(file)


def test_long_text_is_cut_at_a_word() -> None:
    assert len(clean("word " * 500)) <= MAX_CHARACTERS
    assert clean("word " * 500).endswith("word")
    assert len(clean("x" * 1_000_000)) == MAX_CHARACTERS


def test_a_caption_may_carry_the_stem_or_the_full_name(tmp_path: Path) -> None:
    pairs = "1.jpg 1.txt 2.jpg 2.TXT 3.jpg 3.jpg.txt a/4.mp4 a/4.MP4.txt"
    of, stray = _beside(tmp_path, *pairs.split(), "my.picture.png", "my.picture.txt", "5.jpg")
    assert of == {
        "1.jpg": ["1.txt"],
        "2.jpg": ["2.TXT"],
        "3.jpg": ["3.jpg.txt"],
        "my.picture.png": ["my.picture.txt"],
    }
    assert stray == ["a/4.MP4.txt"], "a name in another case is another name"


def test_of_several_captions_the_most_exact_counts(tmp_path: Path) -> None:
    of, stray = _beside(tmp_path, "1.jpg", "1.TXT", "1.txt", "1.jpg.txt", "1.mp4", "LICENSE.txt")
    assert of == {"1.jpg": ["1.jpg.txt", "1.txt", "1.TXT"], "1.mp4": ["1.txt", "1.TXT"]}
    assert stray == ["LICENSE.txt"]
