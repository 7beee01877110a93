"""Pictures that a generative model paints: which, one after another, before they are judged.

A picture is whole in the gallery before the next one is begun, so a kill costs one picture at most,
and a changed threshold none. Painting happens in this process, on the profile's device; what was
painted is then judged by several workers like any other picture.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mm_model.errors import UserError
from mm_model.facepack.port import FacePack
from mm_model.media.failure import MESSAGE_LIMIT
from mm_model.nn.identity.subject import CLASS_WORDS, PromptError, parse_prompt
from mm_model.pairs.gallery import PaintedPictures
from mm_model.pairs.library import Library
from mm_model.pairs.make import JPEG_QUALITY, Order, Painted, order_of
from mm_model.pairs.photomaker import PhotoMakerSynthesizer, pool_of, weights_in
from mm_model.pairs.synthesizer import Identity, IdentityPicture
from mm_model.records import TRAIN, Status
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.store import tables


@dataclass(frozen=True)
class Painting:
    """What was painted: orders with their pictures, and how many of these are new."""

    orders: dict[str, Order]
    new: int
    weights: str


def orders_of(job: Job, library: Library) -> dict[str, Order]:
    """Two pictures a still and five a clip (or what the profile says), of train identities only.

    Each is made from one sample, which is its origin: withdrawn with it.
    """
    rules, orders = job.profile.pairs, {}
    said = _said(job)
    words = _words(library, said)
    for identity in library.identities():
        for sample, portraits in _by_sample(identity).items():
            if library.samples[sample].split != TRAIN:
                continue
            still = library.samples[sample].media == "image"
            wanted = rules.synthetic_per_still if still else rules.synthetic_per_clip
            shown = tuple(replace(one, content=said[sample]["pixel_id"]) for one in portraits)
            person = replace(identity, portraits=shown, word=words.get(identity.name))
            for number in range(wanted):
                order = order_of(job, person, sample, number)
                orders[order.key] = order
    return orders


def _by_sample(identity: Identity) -> dict[str, list[IdentityPicture]]:
    found: dict[str, list[IdentityPicture]] = {}
    for one in identity.portraits:
        found.setdefault(one.sample_id, []).append(one)
    return found


def _said(job: Job) -> dict[str, Row]:
    """Sample id to its caption and the digest of its pixels."""
    columns, table = ("sample_id", "caption", "pixel_id"), job.inputs["ingest"] / "samples.parquet"
    return {row["sample_id"]: row for row in tables.rows(table, columns, {"status": Status.KEPT})}


def _words(library: Library, said: Mapping[str, Row]) -> dict[str, str]:
    """Identity to the word that its captions use most; without those whose captions name nobody."""
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for name, sample in library.samples.items():
        try:
            word = parse_prompt(said[name]["caption"] or "").class_word.lower()
        except PromptError:
            continue
        if word in CLASS_WORDS:
            tallies[sample.identity][word] += 1
    return {
        name: min(tally, key=lambda word: (-tally[word], word)) for name, tally in tallies.items()
    }


def painted(job: Job, orders: Mapping[str, Order], pack: FacePack) -> Painting:
    """The orders with their pictures, each from the gallery or painted into it now.

    Raises:
        UserError: weights, pack or pool do not fit; found out before anything is painted.
    """
    rules = job.profile.pairs
    folder = job.model("synthesizer")
    weights = weights_in(folder)
    file = job.layout.root / "profiles" / rules.prompts
    pool = pool_of(file, folder, rules.synthetic_references)
    synthesizer = PhotoMakerSynthesizer(weights, pool, rules, job.profile.run, pack)
    gallery, done, names, new = PaintedPictures(job.layout.painted), {}, [], 0
    for key, order in job.each(orders.items(), len(orders), "paint"):
        name = synthesizer.key(order.identity, order.seed)
        names.append(name)
        prompt = synthesizer.prompt_for(order.identity, order.seed)
        path, problem = gallery.find(name), None
        if path is None:
            content, problem = _jpeg(synthesizer, order)
            if content is not None:
                path = gallery.keep(name, content, _told(synthesizer, order, prompt))
                new += 1
        done[key] = replace(order, painted=Painted(prompt, path, problem))
    gallery.trim(names)
    return Painting(done, new, weights.digest)


def _jpeg(synthesizer: PhotoMakerSynthesizer, order: Order) -> tuple[bytes | None, str | None]:
    """The picture, or why there is none: the others must not suffer for it."""
    from mm_model.media.sheet import jpeg_bytes

    try:
        made = synthesizer.make(order.identity, order.seed)
    except UserError:
        raise
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"[:MESSAGE_LIMIT]
    if made is None:
        return None, "there is no picture of this person to show"
    return jpeg_bytes(made.image, JPEG_QUALITY), None


def _told(synthesizer: PhotoMakerSynthesizer, order: Order, prompt: str) -> Row:
    recipe = synthesizer.recipe
    return {
        "prompt": prompt,
        "seed": order.seed,
        "steps": recipe.steps,
        "guidance": recipe.guidance,
        "generator": synthesizer.weights.digest,
        "samples": sorted({one.sample_id for one in order.identity.portraits}),
    }
