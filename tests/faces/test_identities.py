"""Who is who: clusters, purity, and a split that never tears a person apart."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.facepack.port import unit
from mm_model.faces import identity, linkage

pytestmark = pytest.mark.capability("people told apart", scale="T")


def _crowd(people: int, pictures: int, noise: float, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 32))
    rows, names = [], []
    for _ in range(pictures):
        for who in range(people):
            rows.append(unit(centres[who] + noise * rng.normal(size=32)))
            names.append(f"p{who}")
    return np.stack(rows), names


def test_golden_clusters_of_three_directions() -> None:
    angles = np.radians([0, 20, 100, 110, 0, 240])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert identity.clusters(vectors, 0.8).tolist() == [0, 0, 1, 1, 0, 2]
    assert identity.clusters(vectors, 0.99).tolist() == [0, 1, 2, 3, 0, 4]
    assert identity.clusters(vectors, -1.0).tolist() == [0] * 6


def test_average_linkage_does_not_chain() -> None:
    """Each neighbour is near, the ends are far: single linkage would make one person of them."""
    angles = np.radians([0, 24, 50, 74])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert identity.clusters(vectors, 0.85).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("above", [0.05, 0.2, 0.35, 0.5, 0.7])
@pytest.mark.parametrize(("people", "pictures", "noise"), [(12, 6, 0.7), (40, 5, 1.2), (3, 60, 2)])
def test_clusters_are_those_of_average_linkage_on_the_whole_table(
    people: int, pictures: int, noise: float, above: float
) -> None:
    from sklearn.cluster import AgglomerativeClustering

    vectors, _ = _crowd(people, pictures, noise)
    distance = np.clip(1 - vectors.astype(float) @ vectors.T.astype(float), 0, None)
    at_once = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - above
    ).fit_predict(distance)
    assert identity.clusters(vectors, above).tolist() == identity.first_appearance(at_once).tolist()


@pytest.mark.parametrize("whole", [100, 5000])
def test_many_are_clustered_as_few_are(whole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours that were looked for give the clusters that all pairs give, every time."""
    vectors, names = _crowd(300, 8, 0.5)
    exact = identity.clusters(vectors, 0.6)
    monkeypatch.setattr(linkage, "EXACT", 100)
    monkeypatch.setattr(linkage, "WHOLE", whole)
    monkeypatch.setattr(linkage, "NEAREST", 6)  # fewer than a person has pictures
    searched = identity.clusters(vectors, 0.6)
    assert identity.purity(exact.tolist(), names) == 1
    assert identity.purity(searched.tolist(), exact.tolist()) == 1
    assert identity.completeness(searched.tolist(), exact.tolist()) > 0.99
    assert (identity.clusters(vectors, 0.6) == searched).all()


def test_memory_of_many_is_no_table_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is far from anybody, so that all are in one connected part of the pairs."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(12_000, 16)).astype(np.float32) + 0.8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr(linkage, "EXACT", 1000)
    tracemalloc.start()
    labels = identity.clusters(vectors, 0.75)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 < labels.max() < 6000
    assert peak < 12_000**2, "a byte a pair"


def test_the_nearest_across_is_the_same_by_search(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = _crowd(400, 1, 0.0)
    labels, held_out = np.arange(400), np.arange(400) % 2 == 0
    exact = identity.nearest_across(vectors, labels, held_out)
    assert exact == pytest.approx((vectors[::2] @ vectors[1::2].T).max(), abs=1e-6)
    monkeypatch.setattr(linkage, "EXACT", 50)
    assert identity.nearest_across(vectors, labels, held_out) == pytest.approx(exact, abs=1e-5)


def test_people_far_apart_are_told_apart() -> None:
    vectors, names = _crowd(8, 5, 0.3)
    labels = identity.clusters(vectors, 0.5)
    assert identity.purity(labels, names) == 1
    assert identity.completeness(labels, names) == 1


def test_nothing_and_not_a_number() -> None:
    assert identity.clusters(np.zeros((0, 8), np.float32), 0.5).tolist() == []
    with pytest.raises(ValueError, match="finite"):
        identity.clusters(np.full((2, 8), np.nan, np.float32), 0.5)


def test_purity_and_completeness_by_hand() -> None:
    subjects = ["a", "a", "b", "b", None]
    assert identity.purity([0, 0, 0, 1, 1], subjects) == 3 / 4
    assert identity.completeness([0, 1, 2, 2, 0], subjects) == 3 / 4
    assert identity.purity([0, 1], [None, None]) is None


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.just(None), min_size=2),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_both_sides_get_somebody(given: dict, share: float, seed: int) -> None:
    split = identity.split_identities(given, {name: name for name in given}, share, seed)
    assert set(split) == set(given)
    assert set(split.values()) == {"train", "held_out"}


def test_the_split_of_one_person_does_not_depend_on_the_others() -> None:
    few = {f"p{i}": None for i in range(40)}
    many = {f"p{i}": None for i in range(80)}
    first = identity.split_identities(few, {n: n for n in few}, 0.3, 1)
    second = identity.split_identities(many, {n: n for n in many}, 0.3, 1)
    assert all(second[name] == side for name, side in first.items())
    assert 0.1 < np.mean([side == "held_out" for side in second.values()]) < 0.5


def test_a_prescribed_split_is_kept_and_ties_are_held_out() -> None:
    assert identity.majority_split(["train", "held_out"]) == "held_out"
    assert identity.majority_split(["train", "held_out", "train"]) == "train"
    assert identity.majority_split([None, None]) is None
    split = identity.split_identities({"a": "train", "b": "train"}, {"a": "a", "b": "b"}, 0.9, 0)
    assert split == {"a": "train", "b": "train"}


def test_one_person_alone_is_trained_on() -> None:
    assert identity.split_identities({"a": None}, {"a": "a"}, 0.0, 0) == {"a": "train"}


def test_the_nearest_pair_across_the_split() -> None:
    vectors = np.eye(3, dtype=np.float32)
    vectors[2] = unit(np.array([1.0, 0, 1]))
    labels, held_out = np.array([0, 1, 2]), np.array([False, False, True])
    found = identity.nearest_across(vectors, labels, held_out)
    np.testing.assert_allclose(found, np.sqrt(0.5), rtol=1e-6)
    assert identity.nearest_across(vectors, labels, np.zeros(3, bool)) is None


def test_a_folder_of_one_person_resembles_itself_and_an_album_does_not() -> None:
    vectors, names = _crowd(8, 6, 0.5)
    albums = [f"album{row // 8}" for row in range(48)]  # each holds everybody once
    half = [name if name < "p4" else album for name, album in zip(names, albums, strict=True)]
    assert identity.folder_likeness(vectors, names, 0.4) == 1
    assert identity.folder_likeness(vectors, albums, 0.4) == 0
    assert identity.folder_likeness(vectors, half, 0.4) == 0.5


def test_folders_of_one_file_say_nothing() -> None:
    vectors, _ = _crowd(1, 3, 0.5)
    assert identity.folder_likeness(vectors, ["a", "b", None], 0.4) is None
    assert identity.folder_likeness(vectors[:0], [], 0.4) is None
    assert identity.folder_likeness(vectors, ["a", "a", None], 0.4) == 1


def test_a_person_of_a_folder_that_grows_is_named_by_its_first_sample() -> None:
    ids = ["0a1b2c3d4e5f6071", "7e7e7e7e00000000", "7e7e7e7e11111111"]
    assert identity.names(ids[:2], grows=True) == ["id-0a1b2c3d", "id-7e7e7e7e"]
    assert identity.names(ids, grows=True) == ["id-0a1b2c3d", f"id-{ids[1]}", f"id-{ids[2]}"]
    assert identity.names(ids, grows=False) == ["id-0001", "id-0002", "id-0003"], "all are known"
