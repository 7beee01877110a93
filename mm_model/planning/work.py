"""What each stage would do with so many pictures and clips: rows, hours, bytes and memory.

Pure arithmetic on the profile's values, the model's shape and the rates. Nothing is rounded here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mm_model.planning import memory
from mm_model.planning.rates import GPUS
from mm_model.planning.shapes import Shape
from mm_model.settings import Profile, TrainSettings

Values = Mapping[str, float]
_H100 = GPUS["h100"].tflops
_HOUR = 3600.0
_WATCHED = 6


def sharing(streams: int, gpus: int) -> int:
    """How many of so many GPUs a training of so many streams takes by itself."""
    most = max(1, min(streams, gpus))
    return max(number for number in range(1, most + 1) if streams % number == 0)


@dataclass(frozen=True)
class Machine:
    """What the plan runs on; `gpu` is a name of `GPUS`."""

    gpu: str
    gpus: int
    cores: int

    def used_by(self, profile: Profile, stage: str) -> "Machine":
        """What a stage uses of it by itself: `run.threads` workers and one GPU; a training takes
        all that share its streams evenly.
        """
        rules = profile.trainings.get(stage)
        gpus = sharing(rules.streams, self.gpus) if rules else 1
        return Machine(self.gpu, gpus, min(self.cores, profile.run.threads))


@dataclass(frozen=True, kw_only=True)
class StageCost:
    """One stage. Hours of one core and of one GPU; bytes that stay, that are scratch at most, that
    pass to and from a remote; the most that one process holds, and of the GPU's memory.
    """

    stage: str
    rows_in: float
    rows_out: float
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    disk: float = 0.0
    scratch: float = 0.0
    traffic: float = 0.0
    memory: float = 0.0
    gpu_memory: float = 0.0

    def hours(self, machine: Machine, values: Values) -> float:
        """Hours on the machine, the work shared out over all of its GPUs and cores."""
        shared = machine.gpus * values["gpu_share"] if machine.gpus > 1 else 1.0
        cpu = self.cpu_hours / max(1.0, machine.cores * values["core_share"])
        return max(cpu, self.gpu_hours / max(1.0, shared))


@dataclass(frozen=True)
class PlannedRun:
    """What is planned: a profile on a shape, so many source pictures and clips, one GPU's name."""

    profile: Profile
    shape: Shape
    pictures: float
    clips: float
    gpu: str


@dataclass(frozen=True)
class _Funnel:
    """Rows that pass each stage."""

    ingested: float
    stills: float
    clips: float
    painted: float
    candidates: float
    pairs: float

    @property
    def samples(self) -> float:
        return self.stills + self.clips


def _funnel(asked: PlannedRun, r: Values) -> _Funnel:
    rules = asked.profile.pairs
    train = 1 - asked.profile.faces.held_out_share
    stills, clips = asked.pictures * r["pictures_kept"], asked.clips * r["clips_kept"]
    painted = 0.0
    if "synthetic" in rules.kinds and rules.synthesizer != "none":
        each = (rules.synthetic_per_still, rules.synthetic_per_clip)
        painted = train * (stills * each[0] + clips * each[1])
    candidates = (stills + clips) * rules.per_target * r["candidates"]
    return _Funnel(
        ingested=asked.pictures * r["pictures_ingested"] + asked.clips * r["clips_ingested"],
        stills=stills,
        clips=clips,
        painted=painted,
        candidates=candidates,
        pairs=candidates * r["pairs_kept"],
    )


def _gpu_hours(asked: PlannedRun, tflop: float, share: float) -> float:
    return tflop / (GPUS[asked.gpu].tflops * share) / _HOUR


def _sources(asked: PlannedRun, r: Values, _: _Funnel) -> StageCost:
    files = asked.pictures + asked.clips
    raw = asked.pictures * r["picture_bytes"] + asked.clips * r["clip_bytes"]
    return StageCost(
        stage="sources",
        rows_in=files,
        rows_out=files,
        cpu_hours=files * r["source_file"] / _HOUR,
        disk=files * r["row_bytes"],
        traffic=raw + files * r["row_bytes"],
        memory=r["base_memory"] + files * r["source_memory"],
    )


def _kept_bytes(asked: PlannedRun, r: Values) -> float:
    return (
        asked.pictures * r["pictures_ingested"] * r["picture_bytes"]
        + asked.clips * r["clips_ingested"] * r["clip_bytes"]
    )


def _ingest(asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    rules, files = asked.profile.ingest, asked.pictures + asked.clips
    looks = asked.pictures + 3 * asked.clips
    seconds = asked.pictures * r["ingest_picture"]
    seconds += asked.clips * r["frames_a_clip"] * r["ingest_frame"]
    if rules.text_second_look:
        seconds += looks * r["text_doubtful"] * r["text_look"]
    if rules.quality_above is not None:
        seconds += looks * r["quality_look"]
    if rules.nsfw_above is not None:
        seconds += looks * r["nsfw_look"]
    models = ("template", "sidecar")
    told = asked.pictures * r["pictures_ingested"] * (rules.captioner not in models)
    told += asked.clips * r["clips_ingested"] * (rules.clip_captioner not in models)
    raw = asked.pictures * r["picture_bytes"] + asked.clips * r["clip_bytes"]
    disk = _kept_bytes(asked, r) + files * r["row_bytes"]
    return StageCost(
        stage="ingest",
        rows_in=files,
        rows_out=funnel.ingested,
        cpu_hours=seconds / _HOUR,
        gpu_hours=told * r["caption"] * _H100 / GPUS[asked.gpu].tflops / _HOUR,
        disk=disk,
        traffic=raw + disk,
        memory=max(r["base_memory"] + files * r["ingest_memory"], rules.decode_memory_mb * 1e6),
    )


def _faces(asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    rules = asked.profile.faces
    size = (rules.detection_size / 640) ** 2
    still, clips = asked.pictures * r["pictures_ingested"], asked.clips * r["clips_ingested"]
    frames = min(rules.frames_examined or r["frames_a_clip"], r["frames_a_clip"])
    cheap, passing = 0.0, 1.0
    if rules.prescreen_size is not None:
        cheap, passing = r["prescreen"] * (rules.prescreen_size / 320) ** 2, r["shows_a_face"]
    seconds = still * (cheap + passing * r["face_looks"]) * r["face_look"] * size
    seconds += clips * (3 * cheap + passing * frames) * r["frame_look"] * size
    disk = funnel.ingested * r["row_bytes"]
    return StageCost(
        stage="faces",
        rows_in=funnel.ingested,
        rows_out=funnel.samples,
        cpu_hours=seconds / _HOUR,
        disk=disk,
        traffic=_kept_bytes(asked, r) + disk,
        memory=r["base_memory"] + funnel.ingested * r["faces_memory"],
    )


def _pairs(asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    rules = asked.profile.pairs
    size = (asked.profile.faces.detection_size / 640) ** 2
    seconds = funnel.candidates * r["pair"]
    seconds += funnel.painted * r["face_looks"] * r["face_look"] * size
    gpu, held = 0.0, 0.0
    if rules.paints:
        scale = (rules.synthetic_size / 1024) ** 2 * _H100 / GPUS[asked.gpu].tflops
        gpu = funnel.painted * rules.synthetic_steps * r["paint_step"] * scale / _HOUR
        held = r["painter_memory"]
    disk = funnel.painted * r["painted_bytes"] + funnel.candidates * r["row_bytes"]
    return StageCost(
        stage="pairs",
        rows_in=funnel.candidates,
        rows_out=funnel.pairs,
        cpu_hours=seconds / _HOUR,
        gpu_hours=gpu,
        disk=disk,
        traffic=funnel.stills * r["picture_bytes"] + funnel.clips * r["clip_bytes"] + disk,
        memory=r["base_memory"] + funnel.samples * r["pairs_memory"],
        gpu_memory=held,
    )


def _references(asked: PlannedRun, r: Values) -> float:
    """References that a sample carries: those of its kept pairs."""
    return max(1.0, asked.profile.pairs.per_target * r["candidates"] * r["pairs_kept"])


def _sample_bytes(asked: PlannedRun, r: Values, frames: int) -> float:
    """A sample carries its references, and a text for one of them and one for two."""
    shape, known = asked.shape, _references(asked, r)
    numbers = shape.latent_numbers(frames) + min(2.0, known) * shape.text_numbers
    numbers += known * shape.reference_numbers
    return numbers * (2 if asked.profile.precompute.dtype == "bfloat16" else 4)


def _precompute(asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    shape, frames = asked.shape, asked.profile.model.num_frames
    made = funnel.samples + funnel.clips
    references = made * _references(asked, r)
    pixels = funnel.samples * shape.pixels(1) + funnel.clips * shape.pixels(frames)
    encoded = pixels * r["vae_encode"] * shape.vae_scale / 1e6
    texts = made * min(2.0, _references(asked, r)) * shape.encode_text
    disk = funnel.samples * _sample_bytes(asked, r, 1) + funnel.clips * _sample_bytes(
        asked, r, frames
    )
    weights = (shape.parts.total - shape.parts.transformer) * memory.width(asked)
    return StageCost(
        stage="precompute",
        rows_in=funnel.samples,
        rows_out=made,
        cpu_hours=(references + funnel.clips * r["frames_a_clip"]) * r["decode_frame"] / _HOUR,
        gpu_hours=_gpu_hours(asked, encoded, r["vae_share"])
        + _gpu_hours(asked, texts, r["sampling_share"]),
        disk=disk,
        traffic=funnel.stills * r["picture_bytes"]
        + funnel.clips * r["clip_bytes"]
        + funnel.painted * r["painted_bytes"]
        + disk,
        memory=r["base_memory"] + weights + 2 * asked.profile.precompute.shard_mb * 2**20,
        gpu_memory=weights + 4e9 * shape.vae_scale,
    )


def sampled(
    asked: PlannedRun, r: Values, *, clips: float, steps: int, guided: bool, frames: int
) -> float:
    """TFLOP to sample so many clips; with guidance the model runs twice a step."""
    passes = steps * (2 if guided else 1)
    return clips * passes * asked.shape.forward(frames) * (1 + r["adapter"])


def _decoded(asked: PlannedRun, r: Values, clips: float, frames: int) -> float:
    return clips * asked.shape.pixels(frames) * r["vae_decode"] * asked.shape.vae_scale / 1e6


def learned(asked: PlannedRun, r: Values, rules: TrainSettings, frames: int) -> float:
    """TFLOP of a training's steps, decoding for the identity loss apart."""
    one = asked.shape.trained_sample(frames, rules.gradient_checkpointing)
    return rules.steps * rules.batch_size * one * (1 + r["adapter"])


def watched(rules: TrainSettings) -> int:
    """Clips that a training makes to be looked at: step 0, every `sample_every`, the last."""
    last = rules.steps % rules.sample_every != 0
    return _WATCHED * (1 + rules.steps // rules.sample_every + last)


def _training(name: str, frames: int, asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    rules, shape = asked.profile.trainings[name], asked.shape
    rows = funnel.clips if name == "finetune" else funnel.samples
    shown = {"clips": watched(rules), "frames": rules.sample_frames}
    guided = rules.sample_guidance > 1
    sampling = sampled(asked, r, steps=rules.sample_steps, guided=guided, **shown)
    losses = max(0, rules.steps - rules.identity_loss_from_step) * memory.decoded(asked, rules)
    decoding = _decoded(asked, r, **shown) + losses * memory.identity_tflop(asked, r)
    adapter = shape.adapter * 4
    disk = adapter * (1 + len(rules.milestone_steps)) + rows * r["row_bytes"]
    drawn = rules.steps * rules.batch_size
    read = max(rows, drawn) * _sample_bytes(asked, r, frames)
    window = rules.streams * rules.shuffle_shards * asked.profile.precompute.shard_mb * 2.0**20
    return StageCost(
        stage=name,
        rows_in=rows,
        rows_out=drawn,
        gpu_hours=_gpu_hours(asked, learned(asked, r, rules, frames), r["training_share"])
        + _gpu_hours(asked, sampling, r["sampling_share"])
        + _gpu_hours(asked, decoding, r["vae_share"]),
        disk=disk,
        scratch=2 * memory.checkpoint(asked, rules),
        traffic=read + disk,
        memory=r["base_memory"]
        + window
        + (shape.parts.transformer + memory.waiting(asked)) * memory.width(asked)
        + memory.checkpoint(asked, rules),
        gpu_memory=memory.training_memory(asked, r, rules, frames).total,
    )


def _pretrain(asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    return _training("pretrain", 1, asked, r, funnel)


def _finetune(asked: PlannedRun, r: Values, funnel: _Funnel) -> StageCost:
    return _training("finetune", asked.profile.model.num_frames, asked, r, funnel)


def judged(profile: Profile) -> float:
    """Clips that the evaluation samples: three models, milestones, and people of the training."""
    kept = sum(len(one.milestone_steps) for one in profile.trainings.values())
    return (4 + kept) * profile.evaluate.people * profile.evaluate.clips_per_person


def _evaluate(asked: PlannedRun, r: Values, _: _Funnel) -> StageCost:
    rules, frames, shape = asked.profile.evaluate, asked.profile.model.num_frames, asked.shape
    clips, width = judged(asked.profile), memory.width(asked)
    guided = rules.guidance_scale > 1
    work = sampled(asked, r, clips=clips, steps=rules.inference_steps, guided=guided, frames=frames)
    size = (asked.profile.faces.detection_size / 640) ** 2
    disk = clips * r["video_bytes"]
    weights = (shape.parts.total + shape.adapter) * width
    on_gpu = memory.frozen(asked) + shape.adapter * width
    return StageCost(
        stage="evaluate",
        rows_in=clips,
        rows_out=clips,
        cpu_hours=clips * frames * r["frame_look"] * size / _HOUR,
        gpu_hours=_gpu_hours(asked, work, r["sampling_share"])
        + _gpu_hours(asked, _decoded(asked, r, clips, frames), r["vae_share"]),
        disk=disk,
        traffic=disk + 2 * shape.adapter * 4,
        memory=r["base_memory"] + weights,
        gpu_memory=on_gpu + 4e9 * shape.vae_scale,
    )


def _register(asked: PlannedRun, r: Values, _: _Funnel) -> StageCost:
    adapter = asked.shape.adapter * 4
    return StageCost(
        stage="register",
        rows_in=1,
        rows_out=1,
        disk=adapter,
        traffic=2 * adapter,
        memory=r["base_memory"] + adapter,
    )


_STAGES: tuple[Callable[[PlannedRun, Values, _Funnel], StageCost], ...] = (
    _sources,
    _ingest,
    _faces,
    _pairs,
    _precompute,
    _pretrain,
    _finetune,
    _evaluate,
    _register,
)


def costs(asked: PlannedRun, values: Values) -> list[StageCost]:
    """The cost of every stage, in the order in which they run; `values` by name of rate."""
    funnel = _funnel(asked, values)
    return [stage(asked, values, funnel) for stage in _STAGES]
