"""The backbone from nothing to a sealed folder: render, train each part, assemble, measure.

Each part resumes from its own folder below `work`; running it again does only what is missing.
Never needed to run the pipeline.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from mm_model.embedded.training.backbone import (
    assemble,
    decoder,
    dit,
    identity,
    latents,
    measure,
    render,
    vae,
)
from mm_model.embedded.training.backbone.loop import Training, freeze, rounded
from mm_model.embedded.training.backbone.recipe import BackboneRecipe
from mm_model.errors import UserError
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.store import digests
from mm_model.store.atomic import Document


def build(
    work: Path,
    target: Path,
    recognizer: Path,
    pack: Path,
    recipe: BackboneRecipe | None = None,
    processes: int = 2,
) -> Path:
    """Build the backbone folder `target`; intermediate files live below `work`.

    `recognizer` is the folder of the conditioning recogniser, `pack` that of the face pack whose
    detector looks at the samples; both are trained before. Raises `UserError` when one is missing.
    """
    recipe = recipe or BackboneRecipe()
    for needed in (recognizer, pack):
        if not needed.is_dir():
            raise UserError(f"{needed} is missing: train the face pack first (make weights).")
    torch.set_num_threads(1)
    started = time.monotonic()
    cache = work / "cache"
    render.render_cache(cache, recipe.cache, processes)
    render.render_cache(work / "portraits", recipe.portraits, processes)
    vision = train_identity(work, recognizer, recipe)
    vae.train_vae(cache, work / "vae", recipe.vae)
    eyes = freeze(FaceRecognizer.from_pretrained(recognizer))
    polished = vae.train_vae(
        cache, work / "vae-polish", recipe.polish, start=work / "vae", recognizer=eyes
    )
    coder = finish_vae(polished, cache)
    encode(work, coder, processes)
    last = train_decoder(work, coder, eyes, recipe)
    painter = dit.train_dit(cache, work / "latents", work / "dit", recipe.dit)
    publish(
        work, target, recognizer, recipe=recipe, trained=(coder, last, vision, painter), pack=pack
    )
    print(f"backbone built in {(time.monotonic() - started) / 60:.0f} minutes", flush=True)
    return target


def train_identity(work: Path, recognizer: Path, recipe: BackboneRecipe) -> Training:
    """The identity side, with the frozen recogniser of the folder `recognizer`."""
    eyes = freeze(FaceRecognizer.from_pretrained(recognizer))
    return identity.train_identity(work / "portraits", eyes, work / "identity", recipe.identity)


def finish_vae(training: Training, cache: Path) -> Training:
    """Round the averaged VAE to what will be stored and set its scaling factor."""
    model = rounded(training.averages["vae"])
    scale = vae.measure_scale(model, render.open_cache(cache))
    model.register_to_config(scaling_factor=scale)
    return training


def encode(work: Path, coder: Training, processes: int) -> None:
    """Latents of the cache; named by the VAE as it is before the decoder's last phase."""
    model = coder.averages["vae"]
    state = {k: digests.of_bytes(v.numpy().tobytes()) for k, v in model.state_dict().items()}
    name = digests.of_value({"weights": state, "scale": model.config.scaling_factor})
    latents.encode_cache(model, name, work / "cache", work / "latents", processes)


def train_decoder(
    work: Path,
    coder: Training,
    eyes: FaceRecognizer,
    recipe: BackboneRecipe,
    stop: int | None = None,
) -> Training:
    """The last phase of the VAE's decoder; the averaged VAE is changed in place."""
    return decoder.train_decoder(
        coder.averages["vae"],
        work / "cache",
        work / "latents",
        work / "decoder",
        recipe=recipe.decoder,
        weights=recipe.vae,
        recognizer=eyes,
        stop=stop,
    )


def publish(
    work: Path,
    target: Path,
    recognizer: Path,
    *,
    recipe: BackboneRecipe,
    trained: tuple[Training, Training, Training, Training],
    pack: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Document:
    """Assemble `target` from (VAE, decoder, identity, DiT) trainings, measure it, seal it.

    Without `pack` the measurement of samples is left out; `notes` tell where a training was not the
    recipe's. Returns the report of the manifest.
    """
    coder, last, vision, painter = trained
    modules = {
        "vae": coder.averages["vae"],
        "vision": vision.averages["vision"],
        "perceiver": vision.averages["perceiver"],
        **painter.averages,
    }
    eyes = freeze(FaceRecognizer.from_pretrained(recognizer))
    config = identity.perceiver_config(recipe.identity, eyes.width)
    report: Document = {
        "steps": {
            "vae": recipe.vae.optimisation.steps,
            "polish": coder.step,
            "decoder": last.step,
            "identity": vision.step,
            "dit": painter.step,
        },
        "notes": list(notes),
        "held_out": {
            "vae": {"how": vae.measure_vae.__doc__, **vae.measure_vae(modules["vae"])},
            "identity": measure.measure_identity(vision.averages, eyes, recipe.identity),
        },
    }
    assemble.assemble(
        target, recipe, modules, perceiver_config=config, recognizer=eyes, report=report
    )
    if pack is not None:
        from mm_model.facepack.port import open_pack

        detector = open_pack(pack, measure.DETECTION_SIZE)
        samples = measure.measure_samples(target, vision.averages, detector, work / "samples.png")
        report["held_out"]["samples"] = samples
        assemble.seal(target, recipe, report)
    return report
