"""The lint tells a made list of poor captions from a made list of good ones, by the right code."""

from pathlib import Path

import pytest

from mm_model.captioners.lint import Bounds, findings, measured
from mm_model.embedded.people.action import ACTIONS, STILLS
from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.people import person
from mm_model.records import CaptionProblem as Problem
from mm_model.settings import load_profile

pytestmark = pytest.mark.capability("caption lint", scale="T")

GOOD = (
    "a woman nods",
    "A man in a red coat looks at the camera and smiles.",
    "a boy with short brown hair turns his head, a green wall behind him",
    "The image shows a young woman in a white dress, who walks along a beach at sunset.",
    "An elderly man with a grey beard sits at a wooden table and reads, while a cat sleeps.",
    'a man holds a sign that says "I\'m sorry", in front of a shop',
    "A girl says sorry to her friend. The friend smiles.",
    "a woman who cannot see the camera looks to the left",
    "a man who will not help his brother carry the box",
    "a person looks at the camera, studio lighting, grey background",
    "Une femme sourit et regarde la caméra dans une rue de Paris",
    "a woman named Zoë waves, a naïve painting behind her",
    "a person, a person's dog and a person's cat",
    "a man and a woman dance; the man wears a black suit, the woman wears a red dress",
    "close up of a man, 35 mm, f/1.8, ISO 100, 2019",
    "a man talks about artificial intelligence on a stage",
    "a lady plays the violin, the violin is brown, the bow is black",
    "a baby laughs 😀 at a balloon",
    "side view of a gentleman in a top hat, black and white photograph",
    "A man says: I can't help it.",
    "a man waves, then he waves again, and then he sits down on a chair",
)
POOR: dict[str, Problem] = {
    "I'm sorry, but I can't help with identifying people.": Problem.REFUSAL,
    "I’m sorry, I cannot describe this person.": Problem.REFUSAL,
    "Sorry, I can't assist with that request.": Problem.REFUSAL,
    "As an AI language model, I do not see a woman here.": Problem.REFUSAL,
    "As a large language model I am not able to see the man.": Problem.REFUSAL,
    "I cannot identify the man in this picture.": Problem.REFUSAL,
    "I am unable to provide a description of the woman.": Problem.REFUSAL,
    "I don't have the ability to recognise a person.": Problem.REFUSAL,
    "Unfortunately, I can't see the image of a man.": Problem.REFUSAL,
    "A person. I apologize, but nothing more can be said.": Problem.REFUSAL,
    "No image was provided, so no man can be described.": Problem.REFUSAL,
    "My apologies, I cannot see it.": Problem.REFUSAL,
    "I'm just an AI and cannot see a man.": Problem.REFUSAL,
    "I won't be able to identify this woman.": Problem.REFUSAL,
    "It is not possible for me to identify the person.": Problem.REFUSAL,
    "Error: no image provided": Problem.REFUSAL,
    "男人挥手": Problem.LANGUAGE,
    "мужчина img машет рукой": Problem.LANGUAGE,
    "رجل يلوح بيده للكاميرا": Problem.LANGUAGE,
    "一个女人 a woman 在街上微笑着看着镜头走路": Problem.LANGUAGE,
    "ชายคนหนึ่งโบกมือ": Problem.LANGUAGE,
    "a man waves waves waves waves waves waves": Problem.LOOP,
    "a woman in a red hat. A woman in a red hat. A woman in a red hat.": Problem.LOOP,
    "a man with a man with a man with a man with a man": Problem.LOOP,
    "woman": Problem.SHORT,
    "a man": Problem.SHORT,
    "12 !!": Problem.SHORT,
    "a man sees " + " ".join(f"thing{i}" for i in range(130)): Problem.LONG,
}


@pytest.fixture(scope="module")
def bounds(root: Path) -> Bounds:
    """Those of the shipped profiles."""
    rules = load_profile(root, "tiny").ingest
    return Bounds(
        rules.caption_min_words,
        rules.caption_max_words,
        rules.caption_latin_share,
        rules.caption_repeats,
    )


@pytest.mark.parametrize("text", GOOD)
def test_nothing_is_said_of_a_good_caption(bounds: Bounds, text: str) -> None:
    assert findings(text, bounds) == []


@pytest.mark.parametrize(("text", "problem"), POOR.items())
def test_a_poor_caption_has_its_code_first(bounds: Bounds, text: str, problem: Problem) -> None:
    first, *_ = findings(text, bounds)
    assert first.problem == problem and first.message.startswith(("the caption", "too few of"))
    if problem != Problem.REFUSAL:
        assert first.value is not None and first.bound is not None


def test_captions_of_drawn_people_are_good(bounds: Bounds) -> None:
    drawn = [person(seed) for seed in range(40)]
    captions = {caption(one, action) for one in drawn for action in (*ACTIONS, *STILLS)}
    assert len(captions) > 50
    assert [text for text in captions if findings(text, bounds)] == []


def test_a_bound_of_null_is_off() -> None:
    assert [f.problem for text in POOR for f in findings(text, Bounds())] == [Problem.REFUSAL] * 16


def test_the_measures_are_what_they_say() -> None:
    seen = measured("A man waves. Человек!")
    assert (seen.words, seen.latin) == (4, 9 / 16)
    assert measured("!!").latin is None
    assert measured("a b c a b c").repeats == 0.25
    assert measured("a b").repeats == 0
