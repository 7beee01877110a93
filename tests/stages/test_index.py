"""An index in Parquet as a source: a row is a file, or says why there is none."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mm_model.errors import UserError
from mm_model.sources import lists as module
from tests.stages.tarred import picture, say

TERMS = {"kind": "index", "adults": True, "licence": "CC-BY-4.0"}

pytestmark = pytest.mark.capability("shapes of data sets", scale="T")


@pytest.fixture
def folder(small_root: Path, use_sources: Callable) -> Path:
    """A folder that says that it has an index; four pictures lie in it."""
    use_sources(small_root, "raw")
    place = small_root / "raw"
    say(place, **TERMS)
    (place / "files").mkdir()
    for number in range(4):
        (place / "files" / f"{number}.png").write_bytes(picture(number * 10))
    return place


def write(place: Path, **columns: list) -> None:
    pq.write_table(pa.table(columns), place)


def test_a_row_says_what_is_known_of_its_file(
    small_root: Path, folder: Path, read: Callable
) -> None:
    write(
        folder / "index.parquet",
        path=["files/1.png", "files/0.png", "files/2.png"],
        caption=["a man waves", None, "  "],
        license=["CC0-1.0", None, "https://creativecommons.org/licenses/by/4.0/"],
        url=["https://a.example/1", None, None],
        person=["ada", None, None],
        width=[80, 80, 80],
    )
    rows, said, report = read()
    assert list(rows) == ["files/1.png", "files/0.png", "files/2.png"]
    first, second, third = rows.values()
    assert first["path"] == "raw/files/1.png"
    assert (first["licence"], first["origin"], first["subject"]) == (
        "CC0-1.0",
        "https://a.example/1",
        "ada",
    )
    assert (second["licence"], second["consent"]) == ("CC-BY-4.0", "licence:CC-BY-4.0")
    assert second["subject"] is None, "a folder of files is nobody"
    assert third["licence"] == "https://creativecommons.org/licenses/by/4.0/"
    assert third["consent"].startswith("licence:https:-creativecommons.org")
    assert said["files/1.png"] == {"text": "a man waves"}
    assert said["files/0.png"] is None and said["files/2.png"]["problem"] == "CAPTION_EMPTY"
    assert any(
        "does not name, and that are not read: 1, e.g. files/3.png" in n for n in report.notes
    )


def test_a_licence_is_needed_where_the_folder_names_none(
    folder: Path, read: Callable, run_stage: Callable, small_root: Path
) -> None:
    say(folder, kind="index", adults=True)
    write(folder / "index.parquet", path=["files/0.png", "files/1.png"], licence=["CC0-1.0", None])
    rows, _, _ = read()
    assert [row["consent"] for row in rows.values()] == ["licence:CC0-1.0", None]
    assert run_stage(small_root, "ingest").counts.rejected["RIGHTS_CONSENT"] == 1


def test_a_row_whose_file_cannot_be_used_says_why(
    folder: Path, read: Callable, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(picture(1))
    (folder / "files" / "out.png").symlink_to(tmp_path / "secret.png")
    paths = {
        "files/0.png": None,
        "files/rotten.png": "IO_MISSING",
        "files/0.png/below.png": "IO_MISSING",
        "files/out.png": "IO_SYMLINK_ESCAPE",
        "files": "IO_UNREADABLE",
        "../../secret.png": "IO_UNSAFE",
        str(tmp_path / "secret.png"): "IO_UNSAFE",
        "files/./0.png": "IO_TWICE",
        "": "IO_MISSING",
        None: "IO_MISSING",
        "files/" + "n" * 300: "IO_UNREADABLE",
    }
    write(folder / "index.parquet", path=list(paths))
    rows, _, report = read()
    assert [row["reason"] for row in rows.values()] == list(paths.values())
    assert len(rows) == report.counts.total == len(paths)
    refused = ("IO_UNSAFE", "IO_TWICE")
    names = [name for name, row in rows.items() if row["reason"] in refused]
    assert names == [f"index.parquet#row-{n}" for n in (6, 7, 8)]
    assert all(row["sha256"] is None for row in rows.values() if row["reason"])


def test_an_address_may_be_the_name(folder: Path, read: Callable) -> None:
    urls = ["https://a.example/x/0.png?size=4", "https://a.example/1.png", "https://[", "no/9.png"]
    say(folder, **TERMS)
    for number in (0, 1):
        (folder / f"{number}.png").write_bytes(picture(number))
    write(folder / "index.parquet", url=urls)
    rows, _, _ = read()
    assert {name: row["reason"] for name, row in rows.items()} == {
        "0.png": None,
        "1.png": None,
        "index.parquet#row-3": "IO_MISSING",
        "9.png": "IO_MISSING",
    }


def test_other_names_of_columns_and_tables_are_said_in_source_yaml(
    folder: Path, read: Callable
) -> None:
    say(folder, **TERMS, table="meta/list.parquet", columns={"path": "wo", "caption": "was"})
    (folder / "meta").mkdir()
    write(folder / "meta" / "list.parquet", wo=["files/0.png"], was=["a man waves"], path=["x"])
    rows, said, _ = read()
    assert list(rows) == ["files/0.png"] and said["files/0.png"] == {"text": "a man waves"}


def test_many_rows_come_in_batches_and_several_tables_in_order(
    folder: Path, read: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    write(folder / "b.parquet", path=["files/2.png", "files/0.png"])
    write(folder / "a.parquet", path=["files/3.png", "files/1.png", "gone.png"])
    rows, _, report = read()
    assert list(rows) == ["files/3.png", "files/1.png", "gone.png", "files/2.png", "files/0.png"]
    assert report.counts.line() == "5 in = 4 kept + 1 rejected (IO_MISSING 1) + 0 failed"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: None, "has no table"),
        (lambda f: (f / "i.parquet").write_bytes(b"PAR1 no"), "cannot be read as an index"),
        (lambda f: write(f / "i.parquet", width=[1]), "no column of names"),
        (lambda f: write(f / "i.parquet", path=[1]), "'path' holds int64"),
        (
            lambda f: (
                say(f, **TERMS, columns={"path": "wo"}),
                write(f / "i.parquet", path=["files/0.png"]),
            ),
            "no column 'wo'",
        ),
    ],
)
def test_what_is_no_index_is_refused_in_one_sentence(
    folder: Path, read: Callable, make: Callable, said: str
) -> None:
    make(folder)
    with pytest.raises(UserError, match=said) as refused:
        read()
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)


def test_an_index_that_breaks_off_is_refused_in_one_sentence(folder: Path, read: Callable) -> None:
    path = folder / "index.parquet"
    write(path, path=[f"files/{n}.png" for n in range(5000)])
    content = bytearray(path.read_bytes())
    content[8:200] = b"\xff" * 192
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as an index"):
        read()


def test_a_csv_is_an_index_too(folder: Path, read: Callable) -> None:
    (folder / "index.csv").write_text(
        "\ufeffpath,caption,licence\n"
        'files/0.png,"a man, waving",CC0-1.0\n'
        "files/1.png,,\n"
        "files/2.png,too,many,fields\n"
        "files/3.png\n"
        ",a row of nobody,\n"
        "gone.png,a man,\n",
        "utf-8",
    )
    rows, said, report = read()
    assert {name: row["reason"] for name, row in rows.items()} == {
        "files/0.png": None,
        "files/1.png": None,
        "index.csv#row-3": "IO_UNREADABLE",
        "index.csv#row-4": "IO_UNREADABLE",
        "index.csv#row-5": "IO_MISSING",
        "gone.png": "IO_MISSING",
    }
    assert said["files/0.png"] == {"text": "a man, waving"} and said["files/1.png"] is None
    assert rows["files/0.png"]["licence"] == "CC0-1.0"
    assert any("does not name, and that are not read: 2" in note for note in report.notes)


def test_a_csv_beside_parquet_is_no_index(folder: Path, read: Callable) -> None:
    write(folder / "a.parquet", path=["files/0.png"])
    (folder / "notes.csv").write_text("anything\n1\n")
    rows, _, report = read()
    assert list(rows) == ["files/0.png"]
    assert any("notes.csv" in note or "not read: 4" in note for note in report.notes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column of names"),
        (b'path\n"files/0.png\n', "cannot be read as an index"),
        ("path\nk\u00e4se.png\n".encode("latin-1"), "cannot be read as an index"),
        (b"path\n" + b"x" * (3 << 20), "cannot be read as an index"),
        (b"wo\nfiles/0.png\n", "no column of names"),
    ],
)
def test_what_is_no_csv_is_refused_in_one_sentence(
    folder: Path, read: Callable, content: bytes, said: str
) -> None:
    (folder / "index.csv").write_bytes(content)
    with pytest.raises(UserError, match=said) as refused:
        read()
    assert "index.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_tabs_may_part_the_columns(folder: Path, read: Callable) -> None:
    (folder / "list.tsv").write_text("url\tTEXT\nhttps://a.example/files/x\ta man, waving\n")
    rows, said, _ = read()
    assert list(rows) == ["x"] and said["x"] == {"text": "a man, waving"}
