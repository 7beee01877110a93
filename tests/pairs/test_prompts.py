"""The pool of prompts: what is wrong with a line is said with its number, and draws are seeded."""

from collections import Counter
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.pairs import prompts
from mm_model.pairs.prompts import Prompt, drawn, faults, read

pytestmark = pytest.mark.capability("PhotoMaker-V2 as synthesiser", scale="T")


def test_the_shipped_pool_is_clean_and_serves_every_word(root: Path) -> None:
    path = root / "profiles" / "prompts.txt"
    assert faults(path.read_text(), references=4) == []
    pool = read(path, references=4)
    tally = Counter(one.word for one in pool)
    assert set(tally) == set(prompts.WORDS)
    assert min(tally.values()) >= 8
    assert prompts.main([str(path)]) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a man walks in a park", "no trigger word 'img'"),
        ("a man img and his img", "2 times the trigger word"),
        ("img of a man", "no word before 'img'"),
        ("a dog img in a park", "'dog' before 'img'"),
        ("two friends, a man img in front", "'two' asks for several people"),
        ("a man img with another man", "'another' asks for several people"),
        ("a woman img and her husband", "'her husband' asks for several people"),
        ("a man img in front of a shop sign", "'sign' asks for lettering"),
        ("a man img in a shirt with a logo", "'logo' asks for lettering"),
        ('a man img holding a card "hello"', "asks for lettering"),
        ("a man img " + "walks " * 70, "81 tokens with 4 photographs, and CLIP reads 77"),
        ("a man img\u200bin a park", "cannot be printed"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(tmp_path: Path, line: str, said: str) -> None:
    text = f"# a pool\na woman img in a park\n\n{line}\n"
    ((number, found),) = faults(text, references=4)
    assert number == 4
    assert said in found
    path = tmp_path / "pool.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=r"pool.txt, line 4: .*: mend the file"):
        read(path, references=4)
    assert prompts.main([str(path)]) == 1


def test_the_same_prompt_twice_and_an_empty_pool_are_told() -> None:
    text = "a man img in a park\na woman img in a park\nA man img  in a park\n"
    assert faults(text) == [(3, "the same prompt as in line 1")]
    assert faults("# nothing\n\n") == [(1, "there is no prompt in the file")]


def test_only_the_first_wrong_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pool.txt"
    path.write_text("a man\n" * 5)
    with pytest.raises(UserError, match=r"line 3: .*; 2 more lines are wrong: mend") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(b"\xef\xbb\xbf# marked\na man img walks\n")
    assert [one.text for one in read(path)] == ["a man img walks"]
    path.write_bytes(b"a man img \xff")
    assert prompts.main([str(path)]) == prompts.main([str(tmp_path / "gone")]) == 1
    with pytest.raises(UserError, match="not UTF-8"):
        read(path)


def test_photographs_take_room_from_the_sentence() -> None:
    line = "a man img " + "walks " * 68
    assert faults(line, references=2) == []
    ((_, said),) = faults(line, references=4)
    assert "79 tokens" in said


def test_draws_are_seeded_and_fit_the_word() -> None:
    pool = [Prompt(f"a {word} img, {n}", word) for word in ("man", "person") for n in range(5)]
    assert drawn(pool, "man", 7) == drawn(pool, "man", 7)
    texts = {drawn(pool, "man", seed).text for seed in range(60)}
    assert len(texts) == 5 and all(text.startswith("a man") for text in texts)
    assert {drawn(pool, "guy", seed).word for seed in range(9)} == {"man"}
    assert {drawn(pool, "woman", seed).word for seed in range(9)} == {"person"}
    assert drawn(pool[:5], "woman", 1).word == "man"
