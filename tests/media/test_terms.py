"""source.yaml: what a folder says of itself, and what nobody can mean."""

from pathlib import Path

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.media.consent import consent_for, consents_of
from mm_model.media.terms import NAME, Terms, parts_of, pool_of, slug, terms_of
from mm_model.store.consents import Statement


def say(folder: Path, text: str | dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return folder


def test_a_folder_that_says_nothing_is_as_it_always_was(tmp_path: Path) -> None:
    assert terms_of(tmp_path) == Terms()
    assert terms_of(say(tmp_path, "# nothing yet\n")) == Terms()
    with pytest.raises(UserError, match=r"no consent record"):
        consent_for(tmp_path, None)


REFUSED = {
    "kind: tar": "kind: Input should be 'folder', 'tars', 'index' or 'collection'",
    "licenc: MIT": "licenc: there is no such entry",
    "licence: 3": "licence: Input should be a valid string",
    "licence: ''": "licence: one line of plain text is needed",
    "licence: a\nlicence: b": r"stands twice \(lines 1 and 2\)",
    "adults: true": "'adults: true' needs a licence or a consent",
    "adults: false": "adults: Input should be True",
    "consent: written:form-1": "consent needs 'adults: true'",
    "table: a.parquet": "table is for 'kind: index' alone",
    "kind: index\ntable: ../a.parquet": "table: a relative path without",
    "kind: index\ncolumns: {file: a}": "columns.file: there is no such entry",
    "kind: collection": "'kind: collection' and 'sources:' go together",
    "sources: {a: {}}": "'kind: collection' and 'sources:' go together",
    "kind: collection\nsources: {a: {}}\nlicence: MIT": "licence is said for each",
    "kind: collection\nsources: {A b: {}}": "'A b' is no name of a source",
    "kind: collection\nsources: {a: {kind: collection, sources: {b: {}}}}": "holds no other",
    "kind: collection\nsources: {a: {folder: /etc}}": "sources.a.folder: a relative path",
    "kind: collection\nsources: {a: {licenc: MIT}}": "sources.a.licenc: there is no such",
    "captions: {pool: ['a {name}']}": r"braces is {who}",
    "captions: {pool: []}": "captions.pool",
    "people: cities": "people: Input should be 'folders' or 'unknown'",
    "kind: tars\nlargest_mb: 0": "largest_mb",
    "largest_mb: 9": "largest_mb is for 'kind: tars' alone",
    "kind: tars\npeople: unknown": "people is for 'kind: folder' alone",
    "[a, b]": "source.yaml: lines of the form '<name>: <value>' are needed",
    "a: [": "no valid YAML",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_nobody_can_mean_is_refused_by_name(tmp_path: Path, text: str) -> None:
    say(tmp_path, text)
    with pytest.raises(UserError, match=REFUSED[text]) as refused:
        terms_of(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / NAME}:") or "no valid YAML" in text + str(
        refused.value
    )
    assert str(refused.value).count("\n") == 0


def test_a_sentence_where_a_name_should_be_is_not_repeated(tmp_path: Path) -> None:
    say(tmp_path, "Ada agreed on the phone: true")
    with pytest.raises(UserError) as refused:
        terms_of(tmp_path)
    assert "Ada" not in str(refused.value)


def test_a_licence_is_a_basis_where_all_shown_are_adults(tmp_path: Path) -> None:
    say(tmp_path, {"licence": "CC BY 4.0"})
    with pytest.raises(UserError, match="no consent record"):
        consent_for(tmp_path, None)
    assert consent_for(tmp_path, Statement("written:form-1")).statement == Statement(
        "written:form-1"
    )
    say(tmp_path, {"licence": "CC BY 4.0", "adults": True})
    record = consent_for(tmp_path, Statement("written:form-1"))
    assert record.statement == Statement("licence:CC-BY-4.0"), "the folder's own word wins"
    assert record.of("a.jpg", None) == Statement("licence:CC-BY-4.0")
    assert record.of("a.jpg", "CC0-1.0") == Statement("licence:CC0-1.0")


def test_who_was_drawn_or_generated_needs_no_word_of_adults(tmp_path: Path) -> None:
    say(tmp_path, {"consent": "synthetic:sfhq-part-2"})
    assert consent_for(tmp_path, None).statement == Statement("synthetic:sfhq-part-2")


def test_consent_yaml_wins_and_may_be_narrower(tmp_path: Path) -> None:
    say(tmp_path, {"licence": "MIT", "adults": True})
    record = {"basis": "written:form-1", "adults": True, "files": ["ada/*"]}
    (tmp_path / "consent.yaml").write_text(yaml.safe_dump(record))
    found = consent_for(tmp_path, None)
    assert found.of("ada/1.jpg", "CC0-1.0") == Statement("written:form-1")
    assert found.of("bob/1.jpg", "CC0-1.0") is None


@pytest.mark.parametrize("licence", ["CC BY-NC 4.0", "https://a.example/by/4.0/", "©", "x" * 200])
def test_any_licence_becomes_the_id_of_a_statement(licence: str) -> None:
    assert len(slug(licence)) <= 64 and slug(licence)
    terms = Terms(licence=licence, adults=True)
    assert terms.statement() == Statement(f"licence:{slug(licence)}")


def test_a_pool_is_a_list_or_a_file_of_lines(tmp_path: Path) -> None:
    say(tmp_path, {"captions": {"pool": ["a photo of {who}"]}})
    assert pool_of(tmp_path, terms_of(tmp_path).captions) == ("a photo of {who}",)
    say(tmp_path, {"captions": {"pool": "prompts.txt"}})
    with pytest.raises(UserError, match=r"prompts\.txt.*cannot be read"):
        pool_of(tmp_path, terms_of(tmp_path).captions)
    (tmp_path / "prompts.txt").write_text("a {who}\n\n  {who} smiles \n")
    assert pool_of(tmp_path, terms_of(tmp_path).captions) == ("a {who}", "{who} smiles")
    for content, said in (("\n", "holds no line"), ("a {man}\n", "in braces")):
        (tmp_path / "prompts.txt").write_text(content)
        with pytest.raises(UserError, match=said):
            pool_of(tmp_path, terms_of(tmp_path).captions)
    (tmp_path / "prompts.txt").unlink()
    (tmp_path / "prompts.txt").symlink_to("/etc/hostname")
    with pytest.raises(UserError, match="leads out of the folder"):
        pool_of(tmp_path, terms_of(tmp_path).captions)


def _collection(folder: Path, **sources: dict | None) -> Path:
    for name, said in sources.items():
        (folder / ((said or {}).get("folder") or name)).mkdir(parents=True, exist_ok=True)
    return say(folder, {"kind": "collection", "sources": sources})


def test_a_source_is_described_above_or_below_but_not_twice(tmp_path: Path) -> None:
    _collection(tmp_path, a={"licence": "MIT"}, b=None)
    say(tmp_path / "b", {"kind": "tars", "licence": "CC0-1.0"})
    parts = parts_of(tmp_path, terms_of(tmp_path))
    assert {n: (p.name, t.kind, t.licence) for n, (p, t) in parts.items()} == {
        "a": ("a", "folder", "MIT"),
        "b": ("b", "tars", "CC0-1.0"),
    }
    say(tmp_path / "a", {"licence": "MIT"})
    with pytest.raises(UserError, match="leave one of them"):
        parts_of(tmp_path, terms_of(tmp_path))


def test_sources_go_by_their_names_in_whatever_order_they_are_said(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    for order in ("ab", "ba"):
        said = "".join(f"  {name}: {{licence: MIT}}\n" for name in order)
        (tmp_path / "source.yaml").write_text(f"kind: collection\nsources:\n{said}")
        assert list(parts_of(tmp_path, terms_of(tmp_path))) == ["a", "b"]


def test_sources_lie_inside_and_not_in_one_another(tmp_path: Path) -> None:
    _collection(tmp_path, a={"folder": "x"}, b={"folder": "x/y"})
    with pytest.raises(UserError, match="lie in one another"):
        parts_of(tmp_path, terms_of(tmp_path))
    say(tmp_path, {"kind": "collection", "sources": {"gone": {}}})
    with pytest.raises(UserError, match=r"sources\.gone: .* is no folder inside"):
        parts_of(tmp_path, terms_of(tmp_path))
    (tmp_path / "gone").symlink_to("/etc")
    with pytest.raises(UserError, match=r"sources\.gone: .* is no folder inside"):
        parts_of(tmp_path, terms_of(tmp_path))


def test_each_source_goes_by_its_own_consent_else_by_the_collection_s(tmp_path: Path) -> None:
    _collection(tmp_path, a={"licence": "MIT", "adults": True}, b=None)
    with pytest.raises(UserError, match=r"/b has no consent record"):
        consents_of(tmp_path, None)
    given = Statement("written:form-1")
    assert {n: r.statement for n, r in consents_of(tmp_path, given).items()} == {
        "a": Statement("licence:MIT"),
        "b": given,
    }
    record = {"basis": "written:form-2", "adults": True, "files": ["b/studio/*"]}
    (tmp_path / "consent.yaml").write_text(yaml.safe_dump(record))
    found = consents_of(tmp_path, given)
    assert found["a"].of("x.jpg", None) == Statement("licence:MIT")
    assert found["b"].of("studio/1.jpg", None) == Statement("written:form-2")
    assert found["b"].of("street/1.jpg", None) is None
