"""The file of consents: one line a statement, for its owner alone, whatever the machine does."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mm_model.store import consents
from mm_model.store.consents import Statement, stated

WORDS = "Ada agreed on paper, folder 17"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


@pytest.mark.parametrize(
    ("said", "identity", "text"),
    [
        ("written:form-17", "written:form-17", None),
        (" synthetic:drawn:7 ", "synthetic:drawn:7", None),
        ("own pictures", None, "own pictures"),
        ("written: form 17", None, "written: form 17"),
        ("verbal:yes", None, "verbal:yes"),
    ],
)
def test_what_is_stated_is_an_id_or_words_under_a_digest(
    said: str, identity: str | None, text: str | None
) -> None:
    statement = stated(said)
    assert statement.text == text
    assert identity in (None, statement.id) and consents.ID.fullmatch(statement.id)
    assert text is None or (text not in statement.id and text not in repr(statement))


def test_each_new_statement_is_one_line_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "likeness" / "consents.jsonl"
    for said in (WORDS, "written:form-17", WORDS, "own", "written:form-17"):
        consents.record(path, stated(said))
    assert [line["text"] for line in lines(path)] == [WORDS, None, "own"]
    assert lines(path)[0]["digest"] == stated(WORDS).digest
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert consents.find(path, stated(WORDS).id) == stated(WORDS)
    assert consents.find(path, "written:other") is None


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "consents.jsonl"
    path.write_text("")
    path.chmod(0o644)
    consents.record(path, stated(WORDS))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_taken_away_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "consents.jsonl"
    consents.record(path, stated(WORDS))
    path.unlink()
    consents.record(path, stated(WORDS))
    path.rename(tmp_path / "old")
    path.write_text("")
    consents.record(path, stated(WORDS))
    assert len(lines(path)) == 1


def test_a_line_cut_short_by_a_kill_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "consents.jsonl"
    consents.record(path, stated("first"))
    with path.open("a") as file:
        file.write('{"id": "words:0123", "text": "half a')
    consents.record(path, stated("second"))
    consents.record(path, stated("first"))
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line)["text"] for line in whole] == ["first", "second"]
    assert consents.find(path, stated("second").id) == stated("second")


def _write(path: Path, number: int) -> None:
    for turn in range(25):
        consents.record(path, Statement(f"written:{turn}", "x" * 3_000))
        consents.record(path, Statement(f"self:{number}-{turn}", "y" * 500))


def test_eight_writers_at_once_leave_whole_lines_each_statement_once(tmp_path: Path) -> None:
    path = tmp_path / "likeness" / "consents.jsonl"
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write, args=(path, number)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    found = [line["digest"] for line in lines(path)]
    assert len(found) == len(set(found)) == 25 + 8 * 25


def test_threads_of_one_process_too(tmp_path: Path) -> None:
    path = tmp_path / "consents.jsonl"
    threads = [threading.Thread(target=_write, args=(path, number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [line["digest"] for line in lines(path)]
    assert len(found) == len(set(found)) == 25 + 4 * 25


_FULL = """
import resource, signal, sys
from pathlib import Path
from mm_model.store import consents
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
consents.record(path, consents.stated("first"))
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        consents.record(path, consents.stated("second"))
        sys.exit("it was taken for recorded")
    except OSError:
        pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
consents.record(path, consents.stated("third"))
"""


def test_a_disk_that_fills_within_a_line_leaves_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "consents.jsonl"
    subprocess.run([sys.executable, "-c", _FULL, str(path)], check=True, timeout=60)
    assert [line["text"] for line in lines(path)] == ["first", "third"]


def test_what_did_not_reach_the_disk_is_not_taken_for_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "consents.jsonl"

    def failing(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="Input/output"):
        patched.setattr(os, "fsync", failing)
        consents.record(path, stated(WORDS))
    assert path.read_text() == ""
    consents.record(path, stated(WORDS))
    assert len(lines(path)) == 1


def test_where_the_file_lies_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(consents.VARIABLE, raising=False)
    assert consents.path_below(tmp_path) == tmp_path / "work" / "likeness" / "consents.jsonl"
    monkeypatch.setenv(consents.VARIABLE, "/elsewhere/c.jsonl")
    assert consents.path_below(tmp_path) == Path("/elsewhere/c.jsonl")
