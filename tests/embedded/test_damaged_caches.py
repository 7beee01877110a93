"""What the foundry takes up again: damaged checkpoints and caches are noticed and made anew."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mm_model.embedded.people import split
from mm_model.embedded.training import checkpoints
from mm_model.embedded.training.backbone import latents, loop, portraits, render, vae
from mm_model.embedded.training.backbone.recipe import CacheRecipe, Optimisation
from mm_model.embedded.training.facepack import loop as pack_loop
from mm_model.embedded.training.facepack import photo_cache
from mm_model.errors import UserError
from mm_model.store import sealed
from tests.embedded.test_backbone_training import SMALL_VAE
from tests.store.damage import flipped, other_damage

RECIPE = CacheRecipe(people=4, pictures_each=2, portraits_each=2, clips=2)
PACK_RECIPE = pack_loop.Recipe(seed=1, steps=4, batch=1, rate=1e-3, threads=1, note={})


class _Backbone:
    """A training of the backbone's loop: one small layer, saved at two steps."""

    def make(self, seed: int = 0) -> loop.Training:
        torch.manual_seed(seed)
        optimisation = Optimisation(steps=4, learning_rate=1e-3, warmup=2)
        return loop.Training.create({"net": nn.Linear(6, 6)}, optimisation, "recipe")

    def save(self, folder: Path) -> None:
        training = self.make()
        for training.step in (1, 2):
            with torch.no_grad():
                training.modules["net"].weight.fill_(training.step)
            training.save(folder)

    def resumed(self, folder: Path) -> int:
        training = self.make(1)
        if not training.resume(folder):
            return 0
        assert (training.modules["net"].weight == training.step).all()
        return training.step


class _Pack:
    """A training of the face pack's loop, saved at two steps."""

    def _parts(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        net = nn.Linear(6, 6)
        return net, torch.optim.AdamW(net.parameters())

    def save(self, folder: Path) -> None:
        net, optimiser = self._parts()
        for step in (1, 2):
            with torch.no_grad():
                net.weight.fill_(step)
            pack_loop.save_checkpoint(
                folder,
                step,
                model=net,
                optimiser=optimiser,
                recipe=PACK_RECIPE,
                recent={"loss": step},
            )

    def resumed(self, folder: Path) -> int:
        net, optimiser = self._parts()
        step, losses = pack_loop.load_checkpoint(folder, net, optimiser, PACK_RECIPE)
        assert not step or ((net.weight == step).all() and losses == {"loss": step})
        return step


@pytest.mark.parametrize("kind", [_Backbone, _Pack])
def test_a_damaged_checkpoint_gives_the_one_before(
    kind: Callable, tmp_path: Path, capsys: Any
) -> None:
    kind().save(tmp_path / "good")
    assert kind().resumed(tmp_path / "good") == 2
    good = tmp_path / "good" / checkpoints.NAME
    places = [
        lambda path, damaged=d: path.write_bytes(damaged) for d in flipped(good.read_bytes(), 60)
    ]
    names = other_damage(good, good.with_name(checkpoints.BEFORE))
    for number, do in enumerate([*places, *names]):
        folder = tmp_path / "work"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "good", folder)
        path = folder / checkpoints.NAME
        if callable(do):
            do(path)
        else:
            other_damage(path, folder / checkpoints.BEFORE)[do]()
        capsys.readouterr()
        assert kind().resumed(folder) == 1, number
        assert (checkpoints.NAME in capsys.readouterr().out) == (do != "deleted")


def test_without_a_whole_checkpoint_a_training_begins_anew_and_no_other_begins_from_it(
    tmp_path: Path,
) -> None:
    kind = _Backbone()
    kind.save(tmp_path)
    for name in (checkpoints.NAME, checkpoints.BEFORE):
        (tmp_path / name).write_bytes(b"")
    assert kind.resumed(tmp_path) == 0
    with pytest.raises(UserError, match="no whole checkpoint"):
        kind.make().start_from(tmp_path)


def _flip_one(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_flip_one, Path.unlink])
def test_a_damaged_render_cache_is_refused_and_rendered_again(
    cache: Path, tmp_path: Path, damage: Callable
) -> None:
    good = {name: np.array(array) for name, array in render.open_cache(cache).arrays.items()}
    folder = tmp_path / "cache"
    shutil.copytree(cache, folder)
    shutil.copy(sealed.seal_of(cache), tmp_path / "cache.seal")
    seal = sealed.seal_of(folder).read_text().replace(f'"name": "{cache.name}"', '"name": "cache"')
    sealed.seal_of(folder).write_text(seal)
    assert render.render_cache(folder, RECIPE, processes=1).arrays.keys() == good.keys()
    damage(folder / "clips.npy")
    with pytest.raises(UserError, match="is damaged: run `make weights` again"):
        render.open_cache(folder)
    again = render.render_cache(folder, RECIPE, processes=1).arrays
    assert again.keys() == good.keys()
    assert all(np.array_equal(again[name], array) for name, array in good.items())


def test_damaged_latents_and_embeddings_are_made_again(
    cache: Path, eyes: Any, tmp_path: Path
) -> None:
    model = vae.build_vae(SMALL_VAE).eval()
    first = np.array(latents.encode_cache(model, "one", cache, tmp_path / "latents").clips)
    _flip_one(tmp_path / "latents" / "clips.npy")
    with pytest.raises(UserError, match="is damaged"):
        latents.open_latents(tmp_path / "latents")
    again = latents.encode_cache(model, "one", cache, tmp_path / "latents")
    assert np.array_equal(again.clips, first)
    vectors = portraits.embed_cache(eyes, cache, tmp_path / "identity")
    _flip_one(tmp_path / "identity" / "embeddings.npy")
    assert np.array_equal(portraits.embed_cache(eyes, cache, tmp_path / "identity"), vectors)


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.7, 0.9995])
def test_a_damaged_shard_of_photographs_is_rendered_again(tmp_path: Path, share: float) -> None:
    people = split.WEIGHTS_PEOPLE[:2]
    first = photo_cache.photos(tmp_path, people, count=1, size=32, workers=1)
    shard = next(tmp_path.rglob("*.npz"))
    content = bytearray(shard.read_bytes())
    content[int(len(content) * share)] ^= 1
    shard.write_bytes(content)
    again = photo_cache.photos(tmp_path, people, count=1, size=32, workers=1)
    for field in ("images", "boxes", "landmarks", "seeds"):
        assert np.array_equal(getattr(first, field), getattr(again, field))
