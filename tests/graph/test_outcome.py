"""What a stage's end says: whether the same work may be tried again, and why it ended."""

import signal

import pytest

from orchestration.outcome import Outcome

pytestmark = pytest.mark.capability("Dagster over DVC", scale="T")
KILLED = "ERROR: failed to reproduce 'faces': failed to run: python x, exited with -9"


def ended(status: int, *lines: str) -> Outcome:
    outcome = Outcome("faces", status=status)
    for line in lines:
        outcome.hear(line)
    return outcome


@pytest.mark.parametrize(
    ("status", "lines", "again"),
    [
        (255, (KILLED,), True),
        (-signal.SIGKILL, (), True),
        (128 + signal.SIGSEGV, (), True),
        (255, (KILLED.replace("-9", "139"),), True),
        (255, ("Stopped: There is no space left.", KILLED), False),
        (-signal.SIGKILL, ("Stopped: The audit of faces failed.",), False),
        (-signal.SIGKILL, ("ERROR: Unable to acquire lock",), False),
        (255, (KILLED.replace("-9", "-2"),), False),
        (-signal.SIGTERM, (), False),
        (128 + signal.SIGHUP, (), False),
        (1, (), False),
        (255, (KILLED.replace("-9", "1"),), False),
    ],
)
def test_only_what_the_machine_ended_without_a_word_is_tried_again(
    status: int, lines: tuple[str, ...], again: bool
) -> None:
    assert ended(status, *lines).may_be_repeated is again


def test_the_stage_s_own_words_are_the_sentence() -> None:
    said = ended(255, "Stopped: There is no space left.", "more", KILLED)
    assert said.sentence == "There is no space left."
    assert ended(255, KILLED).sentence.startswith("faces was killed (signal 9)")
    damaged = ended(255, "ERROR: 'dvc.lock' is invalid.")
    assert damaged.sentence.startswith("dvc.lock is damaged")
