"""The rates that a plan rests on: each with its unit, range, source and the machine it is from.

A rate that somebody measured here names the command; what nobody measured is called a choice.
`low` and `high` bound the value, not the cost: of a share of a GPU's peak the lower one is dearer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured here", "published", "paper", "choice"]

EPYC = "two cores of an EPYC, shared"
NONE = "none"


@dataclass(frozen=True)
class Rate:
    """One assumption. `source` is a command, a publication, a section, or why it was chosen;
    `hardware` is what it was measured on, or none.
    """

    value: float
    low: float
    high: float
    unit: str
    kind: Kind
    source: str
    hardware: str
    says: str


@dataclass(frozen=True)
class Gpu:
    """A GPU by its data sheet: dense bfloat16 TFLOP/s, and memory in GB."""

    tflops: float
    memory: float


GPUS: Mapping[str, Gpu] = {
    "a100": Gpu(312, 80),
    "a800": Gpu(312, 80),
    "h100": Gpu(989, 80),
    "h200": Gpu(989, 141),
    "l40s": Gpu(362, 48),
    "rtx3090": Gpu(71, 24),
    "rtx4090": Gpu(165, 24),
}

_SHEET = "H100 SXM, 989 TFLOP/s by its data sheet"
_BENCH = "python -m benchmarks"


def _measured(
    numbers: tuple[float, float, float], unit: str, command: str, says: str, hardware: str = EPYC
) -> Rate:
    return Rate(*numbers, unit, "measured here", command, hardware, says=says)


def _chosen(numbers: tuple[float, float, float], unit: str, why: str, says: str) -> Rate:
    return Rate(*numbers, unit, "choice", why, NONE, says=says)


_LOOKS: dict[str, Rate] = {
    "source_file": _chosen((0.002, 0.0005, 0.01), "s", "digest and row", "CPU to list one file"),
    "ingest_picture": _measured(
        (0.093, 0.01, 0.15),
        "s",
        f"{_BENCH} peer --of photographs (27.9 s for 300, start included)",
        "CPU of ingest for a photograph, without the three optional filters",
    ),
    "ingest_frame": _measured(
        (0.022, 0.008, 0.06),
        "s",
        f"{_BENCH} peer --of clips --few 4 (25.6 s for 24 clips of 49 frames, start included)",
        "CPU of ingest for a frame of a clip",
    ),
    "text_look": _measured((0.49, 0.2, 0.8), "s", f"{_BENCH} text_looks", "CPU of one OCR"),
    "text_doubtful": _measured(
        (0.31, 0.1, 0.5),
        "share",
        f"{_BENCH} text_looks (61 of 200 made pictures)",
        "files OCR sees",
    ),
    "quality_look": _chosen(
        (0.05, 0.02, 0.1),
        "s",
        "720 x 720 pixels, docs/decisions/quality.md; no benchmark repeats it",
        "CPU of BRISQUE",
    ),
    "nsfw_look": _chosen(
        (0.1, 0.03, 0.3),
        "s",
        "a small network at 320 pixels; not measured",
        "CPU of one nudity score",
    ),
    "caption": _chosen(
        (1.0, 0.2, 3.0), "s", "a model of 8 B on one GPU; not measured", "H100 for one caption"
    ),
    "prescreen": _measured(
        (0.13, 0.07, 0.2),
        "share",
        f"{_BENCH} prescreen",
        "a cheap look at 320 pixels, of a full one",
    ),
    "face_look": _measured(
        (0.137, 0.05, 0.5),
        "s",
        f"{_BENCH} efficiency --count 416 --repeats 1 (57.0 s, SCRFD-2.5G at 640)",
        "CPU to decode, detect and embed once; a detector of 10 GFLOPs takes four times as much",
    ),
    "face_looks": _measured(
        (1.8, 1.0, 2.5), "looks", f"{_BENCH} efficiency --count 416 --repeats 1", "a photograph"
    ),
    "frame_look": _measured(
        (0.151, 0.05, 0.5),
        "s",
        f"{_BENCH} efficiency --of clips --count 9 --repeats 1 (66.7 s for 441 frames)",
        "CPU of faces for a frame of a clip",
    ),
    "pair": _measured(
        (0.0056, 0.0005, 0.011),
        "s",
        "python -m mm_model run pairs (docs/runs/wide.json less docs/runs/fifth.json)",
        "CPU to decide on a candidate, drawing small pictures included",
    ),
    "decode_frame": _chosen(
        (0.004, 0.001, 0.01), "s", "250 frames a second at 720p", "CPU to decode a frame again"
    ),
    "core_share": _chosen(
        (0.8, 0.5, 1.0), "share", "workers wait for disk and memory", "of the cores that do work"
    ),
}

_FUNNEL: dict[str, Rate] = {
    "pictures_ingested": _chosen(
        (0.3, 0.1, 0.7), "share", "size, text, nudity, copies", "pictures that ingest keeps"
    ),
    "pictures_kept": Rate(
        *(0.01, 0.005, 0.02),
        "share",
        "paper",
        "section 3.4, figure 5: 50 K of 5 M",
        NONE,
        says="pictures that faces keeps, of all",
    ),
    "clips_ingested": _chosen(
        (0.7, 0.4, 0.95), "share", "motion, cuts, text", "clips ingest keeps"
    ),
    "clips_kept": _chosen(
        (0.2, 0.1, 0.8),
        "share",
        "the paper keeps 29 K and does not say of how many",
        "clips kept, of all",
    ),
    "shows_a_face": _chosen(
        (0.7, 0.4, 1.0), "share", "a collection of faces; not counted", "files past the cheap look"
    ),
    "frames_a_clip": _chosen(
        (300, 100, 1000), "frames", "ten seconds at 30 a second", "length of a source clip"
    ),
    "candidates": _measured(
        (1.09, 1.0, 1.5),
        "of per_target",
        "make run (3,090 of 945 samples, 3 a target)",
        "candidates a target",
    ),
    "pairs_kept": Rate(
        *(0.9, 0.8, 0.95),
        "share",
        "paper",
        "section 3.4: 132 K of two a face, 120 K of five a clip",
        NONE,
        says="candidates above the cosine",
    ),
}

_GPU: dict[str, Rate] = {
    "sampling_share": Rate(
        *(0.30, 0.25, 0.45),
        "of peak",
        "published",
        "sayakpaul/diffusers-torchao README: 112.4 s a clip in eager mode, 87.5 s compiled",
        _SHEET,
        says="of the GPU's peak that sampling reaches",
    ),
    "training_share": _chosen(
        (0.35, 0.2, 0.45),
        "of peak",
        "no published samples a second were found",
        "of the GPU's peak that training reaches",
    ),
    "vae_share": _chosen(
        (0.1, 0.03, 0.25),
        "of peak",
        "three-dimensional convolutions; not measured",
        "of the GPU's peak that the VAE reaches",
    ),
    "adapter": Rate(
        *(0.025, 0.01, 0.1),
        "share",
        "paper",
        "table 3: 209 s against 204 s a clip",
        NONE,
        says="work that the adapter adds to a forward pass",
    ),
    "paint_step": _chosen(
        (0.08, 0.04, 0.16),
        "s",
        "2 to 8 s a picture of 50 steps; not measured",
        "H100 for a step of SDXL at 1,024 pixels",
    ),
    "vae_encode": _chosen(
        (8.8, 8.5, 13.9), "MFLOP", "counted on the published layout", "to encode a pixel of a frame"
    ),
    "vae_decode": _chosen(
        (18.6, 18, 26),
        "MFLOP",
        "counted on the published layout; tiles overlap",
        "to decode a pixel of a frame",
    ),
    "identity_decode": _chosen(
        (1.39, 1.3, 1.6),
        "GFLOP",
        "counted on the published layout, one latent frame",
        "to decode a latent cell of the identity loss' window",
    ),
    "gpu_share": _chosen(
        (0.9, 0.7, 1.0),
        "share",
        "of several GPUs; not measured",
        "that works when work is shared out",
    ),
}

_BYTES: dict[str, Rate] = {
    "picture_bytes": _chosen((2e5, 5e4, 1e6), "B", "a JPEG of 600 pixels", "a source picture"),
    "clip_bytes": _chosen((1e7, 3e6, 4e7), "B", "ten seconds of H.264 at 1080p", "a source clip"),
    "painted_bytes": _chosen((1.2e6, 3e5, 2e6), "B", "a PNG of 1,024 pixels", "a painted picture"),
    "video_bytes": _chosen((1e6, 2e5, 3e6), "B", "49 frames of H.264 and a strip", "a judged clip"),
    "row_bytes": _chosen((2500, 500, 5000), "B", "an embedding of 512 numbers", "a table's row"),
    "base_memory": _measured((6.3e8, 3e8, 1.5e9), "B", f"{_BENCH} tables 1000000", "one process"),
    "source_memory": _chosen(
        (600, 300, 1500), "B", "captions lie in one document", "sources, a row"
    ),
    "ingest_memory": _measured((71, 60, 100), "B", f"{_BENCH} stage_memory", "ingest, a row"),
    "faces_memory": _measured(
        (869, 500, 2500), "B", f"{_BENCH} stage_memory (eight numbers an embedding)", "faces, a row"
    ),
    "pairs_memory": _measured((2184, 1500, 5000), "B", f"{_BENCH} stage_memory", "pairs, a sample"),
    "painter_memory": _chosen((1.3e10, 8e9, 2e10), "B", "SDXL in bfloat16", "GPU memory to paint"),
    "gpu_base": _chosen(
        (8e8, 5e8, 1.5e9), "B", "context, workspaces, holes; not measured", "GPU memory of CUDA"
    ),
    "window_bytes": _chosen(
        (1.89e6, 1.7e6, 2.5e6),
        "B",
        "counted: 1.8 GiB of a window of 1,024 cells in bfloat16",
        "that decoding a latent cell keeps for backward",
    ),
    "block_activations": _chosen(
        (15.2, 12, 20),
        "activations",
        "counted from a block's layers",
        "of a block kept for backward",
    ),
}

RATES: Mapping[str, Rate] = {**_LOOKS, **_FUNNEL, **_GPU, **_BYTES}
