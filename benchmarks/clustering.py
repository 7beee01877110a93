"""CPU time per embedding to tell people apart: of many embeddings over that of a tenth of them.

People of ten pictures each, 128 numbers a picture; two pictures of a person have a mean cosine of
about 0.65, two people resemble one another a little, as faces do. Neither side is so small that all
pairs are looked at. A search in cells, whose number grows with the root of the number of
embeddings, may cost the root of ten times as much for each of ten times as many; a table of all
pairs costs ten times as much.
"""

import argparse
import resource

import numpy as np

from benchmarks import doorstep
from benchmarks.result import Result

GOAL = 10**0.5
_WIDTH = 128
_PICTURES = 10
_ABOVE = 0.55


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--embeddings", type=int, default=100_000, help="how many are many")
    command.add_argument("--repeats", type=int, default=2, help="of both sides")


def run(options: argparse.Namespace) -> Result:
    """The ratio of the fastest turns; says how pure and complete the clusters are."""
    from mm_model.faces import linkage

    many, few = options.embeddings, options.embeddings // 10
    linkage.EXACT = min(linkage.EXACT, few - 1)
    linkage.WHOLE = min(linkage.WHOLE, few - 1)
    found: dict[int, list[float]] = {many: [], few: []}
    for repeat in range(options.repeats):
        for count in (few, many):
            found[count].append(_seconds(count, repeat) / count)
    return Result(min(found[many]) / min(found[few]), GOAL, options.repeats)


def crowd(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors float32 [count, 128] and who each is."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count // _PICTURES, _WIDTH))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    common = rng.normal(size=_WIDTH)
    common *= 0.5 / np.linalg.norm(common)
    who = rng.permutation(np.arange(count) % len(centres))
    noise = rng.normal(size=(count, _WIDTH)) * (0.9 / np.sqrt(_WIDTH))
    vectors = (centres[who] + common + noise).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), who


def _seconds(count: int, seed: int) -> float:
    from mm_model.faces import identity

    vectors, who = crowd(count, seed)
    before = resource.getrusage(resource.RUSAGE_SELF)
    labels = identity.clusters(vectors, _ABOVE).tolist()
    after = resource.getrusage(resource.RUSAGE_SELF)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    names = [str(one) for one in who]
    doorstep.tell(
        f"{count} embeddings: {taken:.1f} s, purity {identity.purity(labels, names):.4f}, "
        f"completeness {identity.completeness(labels, names):.4f}, "
        f"at most {after.ru_maxrss / 1024:.0f} MB"
    )
    return taken
