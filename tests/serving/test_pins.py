"""Which champions a new version is held against: whom a person went back from is none of them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from mm_model.register import pins

NAME = "m"


class Registry:
    """The part of MLflow's registry that pins are kept in."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.known: list[int] = []

    def get_registered_model(self, name: str) -> Any:
        return SimpleNamespace(tags=dict(self.tags))

    def get_model_version_by_alias(self, name: str, alias: str) -> Any:
        if alias not in self.aliases:
            raise MlflowException("none", error_code=RESOURCE_DOES_NOT_EXIST)
        return SimpleNamespace(version=self.aliases[alias])

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        self.tags[key] = value

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        del self.tags[key]

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.aliases[alias] = version

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        del self.aliases[alias]

    def search_model_versions(self, query: str) -> list[Any]:
        return [SimpleNamespace(version=str(one)) for one in self.known]


def promoted(registry: Any, *versions: int) -> None:
    for version in versions:
        registry.known.append(version)
        assert pins.move(registry, NAME, version, pins.settle(registry, NAME))


def measures(registry: Any) -> tuple[int, ...]:
    return pins.settle(registry, NAME).earlier


def by_command(registry: Any, version: int) -> None:
    pins.pin(registry, NAME, version, "")


def by_mlflow(registry: Any, version: int) -> None:
    registry.set_registered_model_alias(NAME, pins.CHAMPION, str(version))
    pins.settle(registry, NAME)


MOVED = pytest.mark.parametrize("moved", [by_command, by_mlflow])


@MOVED
def test_whom_a_person_went_back_from_never_counts_again(
    moved: Callable[[Any, int], None],
) -> None:
    registry: Any = Registry()
    promoted(registry, 1, 2)
    moved(registry, 1)
    assert measures(registry) == ()
    pins.unpin(registry, NAME)
    promoted(registry, 3)
    assert measures(registry) == (1,)
    promoted(registry, 4)
    assert measures(registry) == (1, 3)


@MOVED
def test_going_back_twice_and_to_what_never_was_champion(moved: Callable[[Any, int], None]) -> None:
    registry: Any = Registry()
    promoted(registry, 1, 2)
    registry.known.append(3)  # a challenger
    promoted(registry, 4, 5)
    moved(registry, 4)
    moved(registry, 3)
    pins.unpin(registry, NAME)
    promoted(registry, 6)
    assert measures(registry) == (1, 2, 3)


@MOVED
def test_going_forward_leaves_nobody_behind(moved: Callable[[Any, int], None]) -> None:
    registry: Any = Registry()
    promoted(registry, 1, 2)
    registry.known.append(3)
    moved(registry, 3)
    assert measures(registry) == (1, 2)
    pins.unpin(registry, NAME)
    promoted(registry, 4)
    assert measures(registry) == (1, 2, 3)


def test_an_alias_taken_away_leaves_its_version_behind() -> None:
    registry: Any = Registry()
    promoted(registry, 1, 2)
    registry.delete_registered_model_alias(NAME, pins.CHAMPION)
    assert measures(registry) == (1,)
    pins.unpin(registry, NAME)
    promoted(registry, 3)
    assert measures(registry) == (1,)


@pytest.mark.parametrize("chosen", [1, 2])
@MOVED
def test_a_person_who_is_quicker_than_registration_keeps_the_choice(
    moved: Callable[[Any, int], None], chosen: int
) -> None:
    registry: Any = Registry()
    promoted(registry, 1, 2)
    registry.known.append(3)
    before = pins.settle(registry, NAME)  # and the rule is asked
    moved(registry, chosen)
    pinned = (moved, chosen) != (by_mlflow, 2)  # which leaves no trace
    assert pins.move(registry, NAME, 3, before) is not pinned
    assert registry.aliases[pins.CHAMPION] == (str(chosen) if pinned else "3")


def test_a_kill_amid_a_rollback_leaves_the_same_measures() -> None:
    registry: Any = Registry()
    promoted(registry, 1, 2, 3)
    registry.set_registered_model_alias(NAME, pins.CHAMPION, "2")  # and no tag was written
    assert measures(registry) == (1,)
    assert measures(registry) == (1,)


def test_the_oldest_champion_is_never_forgotten() -> None:
    registry: Any = Registry()
    promoted(registry, *range(1, 40))
    kept = measures(registry)
    assert kept[0] == 1 and kept[-5:] == (34, 35, 36, 37, 38)
    assert len(kept) <= 20
