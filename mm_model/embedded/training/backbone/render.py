"""The render cache: pictures, portraits and clips of one split's people, drawn once into memmaps.

Every shard is keyed by its own seeds, written aside and renamed, so an interrupted run goes on and
any number of processes gives the same bytes. Refuses people outside the weights' splits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mm_model.embedded.people import clips, people, split
from mm_model.embedded.people.action import ACTIONS, STILLS, describe
from mm_model.embedded.people.render import Frame
from mm_model.embedded.people.shot import shot
from mm_model.embedded.training.backbone.recipe import FRAMES, SIZE, CacheRecipe, digest
from mm_model.errors import UserError
from mm_model.progress import each
from mm_model.run.pools.port import nothing, whole
from mm_model.run.pools.table import open_pool
from mm_model.store import atomic, digests, documents, sealed

PORTRAIT_SIZE = 128
"""Side of a reference portrait in pixels; face crops are cut from it at training time."""

KINDS = ("pictures", "portraits", "clips")
SPLITS = ("weights", "encoder")
"""Splits whose people weights may be trained on."""

_STREAMS = {"pictures": 0x50, "portraits": 0x51, "clips": 0x52}
_SHARD_PEOPLE = 50
_SHARD_CLIPS = 100
_ACTIONS = tuple(ACTIONS)
_STILLS = tuple(STILLS)


@dataclass(frozen=True)
class Cache:
    """The finished cache, memory mapped.

    pictures: uint8 [N, 64, 64, 3] with boxes float32 [N, 4] pixels, seeds int64 [N] and stills
    int64 [N] (index into STILLS). portraits: uint8 [M, 128, 128, 3] with boxes, landmarks
    float32 [M, 5, 2], seeds. clips: uint8 [K, 9, 64, 64, 3] with boxes [K, 9, 4], seeds and
    actions int64 [K] (index into ACTIONS). A kind of which the recipe asks for none is absent.
    """

    arrays: dict[str, np.ndarray]
    digest: str

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def caption(self, kind: str, index: int) -> str:
        """The caption of a picture or clip."""
        from mm_model.embedded.people.caption import caption

        who = people.person(int(self[f"{kind}_seeds"][index]))
        if kind == "pictures":
            return caption(who, _STILLS[int(self["pictures_stills"][index])])
        return caption(who, _ACTIONS[int(self["clips_actions"][index])])


def people_of(recipe: CacheRecipe) -> range:
    """Seeds of the recipe's people; `UserError` when its split is not the weights' or too small."""
    known = {name: split.SPLITS[name] for name in SPLITS}
    if recipe.split not in known:
        raise UserError(f"split is {recipe.split!r}; weights are trained on {', '.join(known)}.")
    allowed = known[recipe.split]
    if recipe.people > len(allowed):
        raise UserError(
            f"people is {recipe.people}, but the split {recipe.split} has {len(allowed)} "
            f"({allowed.start}..{allowed.stop - 1}): lower `people`."
        )
    return allowed[: recipe.people]


def picture(seed: int, number: int, size: int, recipe_seed: int, kind: str = "pictures") -> Frame:
    """Photograph `number` of person `seed`; equal arguments give equal bits."""
    rng = np.random.default_rng([_STREAMS[kind], recipe_seed, seed, number])
    return clips.photograph(people.person(seed), rng, size)


def clip(number: int, recipe: CacheRecipe) -> clips.Clip:
    """Clip `number`: people in turn, actions so that every category meets every action."""
    rng = np.random.default_rng([_STREAMS["clips"], recipe.seed, number])
    action = _ACTIONS[(number + number // len(people.CATEGORIES)) % len(_ACTIONS)]
    return clips.clip(
        people.person(clip_seed(number, recipe)),
        action,
        shot(rng),
        num_frames=FRAMES,
        size=SIZE,
        rng=rng,
    )


def clip_seed(number: int, recipe: CacheRecipe) -> int:
    """The person of clip `number`, of whatever split the recipe names."""
    seeds = split.SPLITS[recipe.split]
    return seeds[number % min(recipe.people, len(seeds))]


def _photographs(job: tuple[CacheRecipe, str, int]) -> dict[str, np.ndarray]:
    recipe, kind, shard = job
    size, each_person = (
        (SIZE, recipe.pictures_each)
        if kind == "pictures"
        else (PORTRAIT_SIZE, recipe.portraits_each)
    )
    seeds = people_of(recipe)[shard * _SHARD_PEOPLE : (shard + 1) * _SHARD_PEOPLE]
    keys = [(s, n) for s in seeds for n in range(each_person)]
    frames = [picture(s, n, size, recipe.seed, kind) for s, n in keys]
    return {
        "": np.stack([f.image for f in frames]),
        "_boxes": np.stack([f.box for f in frames]),
        "_landmarks": np.stack([f.landmarks for f in frames]),
        "_seeds": np.array([s for s, _ in keys]),
        "_stills": np.array([_STILLS.index(describe(f.pose)) for f in frames]),
    }


def _clips(job: tuple[CacheRecipe, str, int]) -> dict[str, np.ndarray]:
    recipe, _, shard = job
    first = shard * _SHARD_CLIPS
    numbers = range(first, min(first + _SHARD_CLIPS, recipe.clips))
    drawn = [clip(n, recipe) for n in numbers]
    return {
        "": np.stack([c.frames for c in drawn]),
        "_boxes": np.stack([np.stack([f.box for f in c.faces]) for c in drawn]),
        "_landmarks": np.stack([np.stack([f.landmarks for f in c.faces]) for c in drawn]),
        "_seeds": np.array([clip_seed(n, recipe) for n in numbers]),
        "_actions": np.array([_ACTIONS.index(c.action) for c in drawn]),
    }


_MAKERS: dict[str, Callable] = {
    "pictures": _photographs,
    "portraits": _photographs,
    "clips": _clips,
}


def _render_shard(_: None, job: tuple[CacheRecipe, str, int, Path]) -> None:
    import cv2

    cv2.setNumThreads(1)
    recipe, kind, shard, folder = job
    target = folder / f"{kind}-{shard:04d}.npz"
    if sealed.flaw(target, folder.name) is None:
        return
    arrays = _MAKERS[kind]((recipe, kind, shard))
    with atomic.written_aside(target) as aside:
        np.savez(aside, **{f"a{k}": v for k, v in arrays.items()})
    sealed.seal(target, folder.name)


def _kinds(recipe: CacheRecipe) -> list[str]:
    counts = (recipe.pictures_each, recipe.portraits_each, recipe.clips)
    return [kind for kind, count in zip(KINDS, counts, strict=True) if count]


def _shards(recipe: CacheRecipe, kind: str) -> int:
    total, step = (
        (recipe.clips, _SHARD_CLIPS) if kind == "clips" else (recipe.people, _SHARD_PEOPLE)
    )
    return -(-total // step)


def render_cache(folder: Path, recipe: CacheRecipe, processes: int = 2) -> Cache:
    """Render what is missing below `folder` and return the cache.

    Raises `UserError` when the folder holds a cache of another recipe or renderer.
    """
    people_of(recipe)
    name = digest(recipe, {"renderer": renderer_digest()})
    mark = folder / "cache.json"
    if mark.is_file():
        if _said(mark)["digest"] != name:
            raise UserError(
                f"{folder} holds pictures of another recipe or renderer: "
                "remove it to render afresh."
            )
        if (flaw := sealed.flaw_once(folder, name)) is None:
            return open_cache(folder)
        print(f"{folder} {flaw}: it is rendered again", flush=True)
        mark.unlink()
    parts = folder / f"parts-{name[:12]}"
    parts.mkdir(parents=True, exist_ok=True)
    kinds = _kinds(recipe)
    jobs = [(recipe, kind, s, parts) for kind in kinds for s in range(_shards(recipe, kind))]
    with closing(open_pool(nothing, processes if processes > 1 else 0)) as pool:
        said = "A rendering process ended early: run it again."
        for _ in each(whole(pool.map(_render_shard, jobs), said), len(jobs), "render"):
            pass
    for kind in kinds:
        _join(folder, parts, kind, _shards(recipe, kind))
    atomic.write_json(mark, {"digest": name, "recipe": asdict(recipe)})
    for part in parts.iterdir():
        part.unlink()
    parts.rmdir()
    sealed.seal(folder, name)
    return open_cache(folder)


def _join(folder: Path, parts: Path, kind: str, shards: int) -> None:
    """Concatenate the shards of one kind into one .npy file an array."""
    paths = [parts / f"{kind}-{shard:04d}.npz" for shard in range(shards)]
    rows = sum(len(_read(path, "a_seeds")) for path in paths)
    with np.load(paths[0]) as first:
        names = first.files
    for name in names:
        like = _read(paths[0], name)
        with atomic.written_aside(folder / f"{kind}{name[1:]}.npy") as aside:
            shape = (rows, *like.shape[1:])
            joined = np.lib.format.open_memmap(aside, mode="w+", dtype=like.dtype, shape=shape)
            with aside.open("r+b") as file:  # a full disk is an error here, a crash at a page below
                os.posix_fallocate(file.fileno(), 0, aside.stat().st_size)
            start = 0
            for path in paths:  # one at a time: together they are gigabytes and many open files
                part = _read(path, name)
                joined[start : start + len(part)] = part
                start += len(part)
            joined.flush()


def _read(path: Path, name: str) -> np.ndarray:
    with np.load(path) as shard:
        return shard[name]


def open_cache(folder: Path) -> Cache:
    """The finished cache of `folder`, memory mapped; `UserError` when not finished or damaged."""
    mark = folder / "cache.json"
    if not mark.is_file():
        raise UserError(f"{folder} holds no finished render cache: run `make weights`.")
    name = _said(mark)["digest"]
    if flaw := sealed.flaw_once(folder, name):
        raise UserError(f"{folder} {flaw}: run `make weights` again, which renders it afresh.")
    arrays = {p.stem: np.load(p, mmap_mode="r") for p in sorted(folder.glob("*.npy"))}
    return Cache(arrays, name)


def _said(mark: Path) -> dict:
    said = documents.read(mark, f"remove {mark.parent} to render afresh")
    return {"digest": None, **said}


@lru_cache(maxsize=1)
def renderer_digest() -> str:
    """Digest of a few probe pictures, so that a changed look never mixes with an old cache."""
    probes = [picture(s, 0, SIZE, 0).image for s in range(7)] + [clip(3, CacheRecipe()).frames]
    return digests.of_bytes(b"".join(probe.tobytes() for probe in probes))
