"""CPU time per item to find near-duplicates and to choose pairs: of many items over a tenth.

Near-duplicates: perceptual hashes, one in ten a copy of another at one to four bits. Pairs: people
of ten pictures each, 128 numbers a picture. Comparing all with all costs ten times as much an item
for ten times as many; the goal is the root of that, and the ratio that of the worse of both.
"""

import argparse
import resource
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from benchmarks import doorstep
from benchmarks.clustering import crowd
from benchmarks.result import Result

GOAL = 10**0.5
_BITS = 64
_WITHIN = 4
_RULES = SimpleNamespace(cosine_above=0.5, per_target=4, kinds=("self_reference", "cross"))


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--items", type=int, default=100_000, help="how many are many")
    command.add_argument("--repeats", type=int, default=2, help="of both sides")


def run(options: argparse.Namespace) -> Result:
    """The ratio of the fastest turns; says what each turn took and found."""
    many, few = options.items, options.items // 10
    worst = 0.0
    for name, work in (("near-duplicates", _copies), ("pairs", _pairs)):
        found: dict[int, list[float]] = {many: [], few: []}
        for repeat in range(options.repeats):
            for count in (few, many):
                found[count].append(_seconds(name, work, count, repeat) / count)
        worst = max(worst, min(found[many]) / min(found[few]))
    return Result(worst, GOAL, options.repeats)


def _seconds(
    name: str, work: Callable[[int, int], tuple[Callable[[], int], str]], count: int, seed: int
) -> float:
    measured, what = work(count, seed)
    before = resource.getrusage(resource.RUSAGE_SELF)
    number = measured()
    after = resource.getrusage(resource.RUSAGE_SELF)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    doorstep.tell(
        f"{name} of {count}: {taken:.1f} s, {number} {what}, "
        f"at most {after.ru_maxrss / 1024:.0f} MB"
    )
    return taken


def _copies(count: int, seed: int) -> tuple[Callable[[], int], str]:
    from mm_model.ingest import alike

    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**_BITS, count, np.uint64)
    for place in range(count // 10):
        flipped = rng.choice(_BITS, int(rng.integers(1, _WITHIN + 1)), replace=False)
        mask = np.bitwise_or.reduce(np.uint64(1) << flipped.astype(np.uint64))
        hashes[place] = hashes[count - 1 - place] ^ mask
    texts = [f"{value:016x}" for value in hashes.tolist()]
    found = lambda: sum(one is not None for one in alike.twins(texts, _WITHIN))  # noqa: E731
    return found, f"of {count // 10} copies found"


def _pairs(count: int, seed: int) -> tuple[Callable[[], int], str]:
    from mm_model.pairs.select import Reference, pairs_for

    vectors, who = crowd(count, seed)
    names = [f"{place:016x}" for place in range(count)]
    known: dict[int, list[Reference]] = {}
    for place, person in enumerate(who.tolist()):
        one = Reference(names[place], str(person), names[place], vectors[place])
        known.setdefault(person, []).append(one)

    def chosen() -> int:
        kept = 0
        for place, person in enumerate(who.tolist()):
            tried = pairs_for(names[place], vectors[place], known[person], _RULES, seed)
            kept += sum(one.status == "kept" for one in tried)
        return kept

    return chosen, "pairs kept"
