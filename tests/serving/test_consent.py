"""The consent of a request: its form, and that it is on record before anything is made."""

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from mm_model.serving.consent import Basis, Consent, parse, read_consent
from mm_model.serving.refusal import Code, Refusal
from tests.serving.test_request import GOOD, make_mirror, refused

pytestmark = pytest.mark.capability("consent", scale="T")

WORDS = "Ada Lovelace, Dorset Street 1, agreed by letter"


@pytest.mark.parametrize("basis", list(Basis))
def test_a_basis_with_evidence_is_a_consent(basis: Basis) -> None:
    given = read_consent({"basis": basis.value, "evidence": "form-17", "text": f" {WORDS} "})
    assert (given.basis, given.evidence, given.text) == (basis, "form-17", WORDS)
    assert parse(f"{basis}:form-17") == Consent(basis, "form-17")


@pytest.mark.parametrize(
    ("value", "code", "word"),
    [
        (None, Code.NO_CONSENT, "self, written, licence, synthetic"),
        ("", Code.NO_CONSENT, "evidence"),
        ({}, Code.NO_CONSENT, "basis"),
        (WORDS, Code.CONSENT_FORM, "words alone"),
        ("written:form-17", Code.CONSENT_FORM, "words alone"),
        ([{"basis": "self", "evidence": "a"}], Code.CONSENT_FORM, "object"),
        ({"basis": "verbal", "evidence": "a"}, Code.CONSENT_FORM, "one of self"),
        ({"basis": "WRITTEN", "evidence": "a"}, Code.CONSENT_FORM, "one of self"),
        ({"basis": ["self"], "evidence": "a"}, Code.CONSENT_FORM, "one of self"),
        ({"evidence": "a"}, Code.CONSENT_FORM, "one of self"),
        ({"basis": "self"}, Code.CONSENT_FORM, "evidence"),
        ({"basis": "self", "evidence": ""}, Code.CONSENT_FORM, "1 to 64"),
        ({"basis": "self", "evidence": WORDS}, Code.CONSENT_FORM, "1 to 64"),
        ({"basis": "self", "evidence": "a\n"}, Code.CONSENT_FORM, "1 to 64"),
        ({"basis": "self", "evidence": "-" * 4}, Code.CONSENT_FORM, "digit first"),
        ({"basis": "self", "evidence": "a" * 65}, Code.CONSENT_FORM, "1 to 64"),
        ({"basis": "self", "evidence": 17}, Code.CONSENT_FORM, "evidence"),
        ({"basis": "self", "evidence": "a", "who": WORDS}, Code.CONSENT_FORM, "may hold only"),
        ({"basis": "self", "evidence": "a", WORDS: 1}, Code.CONSENT_FORM, "may hold only"),
        ({"basis": "self", "evidence": "a", "text": 3}, Code.CONSENT_FORM, "text"),
        ({"basis": "self", "evidence": "a", "text": "x" * 2001}, Code.CONSENT_FORM, "2000"),
        ({"basis": "self", "evidence": "a", "text": "\ud800"}, Code.CONSENT_FORM, "Unicode"),
    ],
)
def test_any_other_form_is_refused_without_an_echo(value: object, code: Code, word: str) -> None:
    refusal = refused(GOOD | {"consent": value})
    assert refusal.code == code and word in refusal.sentence
    assert "Ada" not in refusal.sentence


@pytest.mark.parametrize("stated", ["", " ", "self", "self:", ":form", "verbal:x", WORDS])
def test_a_command_line_states_basis_and_evidence(stated: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(stated)
    assert caught.value.code in (Code.NO_CONSENT, Code.CONSENT_FORM)
    assert "Ada" not in caught.value.sentence


def test_the_words_go_into_the_file_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MM_CONSENTS", str(tmp_path / "consents.jsonl"))
    given = {"basis": "written", "evidence": "form-17", "text": WORDS}
    with caplog.at_level(logging.DEBUG):
        reply = make_mirror().answer(GOOD | {"consent": given})
    (line,) = map(json.loads, (tmp_path / "consents.jsonl").read_text().splitlines())
    assert (line["id"], line["text"]) == ("written:form-17", WORDS)
    reply.pop("video_mp4")  # three letters come by chance in so much base64
    assert "Ada" not in json.dumps(reply) + caplog.text + repr(read_consent(given))
    assert "written:form-17" in caplog.text and line["digest"][:12] in caplog.text


def test_a_request_whose_consent_cannot_be_recorded_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MM_CONSENTS", str(tmp_path / "consents.jsonl"))

    def full(handle: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    served = make_mirror()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        refusal = refused(GOOD, served)
    assert served.answer(GOOD)["video_mp4"]
    assert refusal.code == Code.CONSENT_UNRECORDED
    assert "no space left" in refusal.sentence and "/" not in refusal.sentence


def test_a_refused_request_leaves_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_CONSENTS", str(tmp_path / "consents.jsonl"))
    refused(GOOD | {"consent": GOOD["consent"] | {"text": WORDS}, "reference_images": ["aGk="]})
    assert not (tmp_path / "consents.jsonl").exists()
