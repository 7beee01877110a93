"""What the project can do, a name and a plain sentence each; the one place that knows the names.

A test proves one with `@pytest.mark.capability("<name>", scale="T")` (or `pytestmark` for a whole
file). How far each one goes is written nowhere: `tests/status.py` reads it off the tests.
"""

from dataclasses import dataclass

SCALES = {
    "T": "works at tiny scale: the embedded default, or small networks made for the test",
    "L": "proven on small random weights laid out exactly like the published checkpoints, or at "
    "full size on the meta device, where shapes are followed and nothing is computed",
    "R": "has run on the real thing: published weights, or photographs and clips of real people "
    "where no weights take part",
}


@dataclass(frozen=True)
class Capability:
    """A name, and what somebody has from it; `missing` says why no test proves it yet.

    `first` are those that a newcomer asks for first: the README shows them.
    """

    name: str
    says: str
    first: bool = False
    missing: str | None = None


GROUPS: dict[str, tuple[Capability, ...]] = {
    "Published weights": (
        Capability(
            "CogVideoX-5B's weights",
            "a person in the published backbone",
            first=True,
            missing="only their layout is tested; this would be the real thing",
        ),
        Capability(
            "PhotoMaker-V2's weights",
            "the published identity encoder",
            first=True,
            missing="only their layout is tested",
        ),
        Capability(
            "buffalo_l",
            "InsightFace's own pack of 512 numbers",
            first=True,
            missing="another real pack, of 128 numbers, was used",
        ),
        Capability(
            "the paper's results",
            "its data, its steps, its numbers",
            first=True,
            missing="30,000 and 5,000 steps on its data were never run",
        ),
    ),
    "From raw media to pairs": (
        Capability(
            "whole pipeline",
            "from raw media over training and evaluation to a registered release",
            first=True,
        ),
        Capability(
            "strangers' files",
            "photographs and clips are decoded in a child process; each ends as kept, rejected "
            "with a reason, or failed",
            first=True,
        ),
        Capability(
            "pictures as they are meant",
            "turned, mirrored, trimmed, HDR and non-square clips look as a player shows them",
        ),
        Capability(
            "shapes of data sets",
            "tars of samples, an index with files, and collections, each with its licence",
        ),
        Capability(
            "captions", "words that training could not use are replaced, and the table says so"
        ),
        Capability(
            "captioner",
            "a vision-language model of one's own captions pictures and clips, resumably (proven "
            "on random weights of three families; no published captioner has been run)",
        ),
        Capability(
            "caption lint", "refusals, loops, other scripts and lengths are told and counted"
        ),
        Capability(
            "watermarks",
            "a classifier of one's own tells which files show a watermark (proven on random "
            "weights of three families; no published classifier has been run)",
        ),
        Capability(
            "InsightFace packs", "a pack of one's own finds and recognises faces", first=True
        ),
        Capability("OpenCV packs", "networks of the kind of YuNet and SFace do the same"),
        Capability(
            "face filters", "files without one clear face are rejected with what was measured"
        ),
        Capability("people told apart", "files become people by clustering; some are held out"),
        Capability("synthetic pairs", "references are drawn or varied, and kept above cosine 0.65"),
        Capability(
            "PhotoMaker-V2 as synthesiser",
            "references as the paper makes them, on SDXL; not run on the published weights",
        ),
    ),
    "Magic Mirror": (
        Capability(
            "CogVideoX-5B's layout", "its folder loads: shards, T5, VAE, its kind of tokenizer"
        ),
        Capability(
            "CogVideoX-2B's layout", "its folder loads too: sincos positions, its scale and noise"
        ),
        Capability(
            "ArcFace's layout",
            "an IResNet loads by its public names, or comes back from its ONNX export, and can be "
            "differentiated",
        ),
        Capability(
            "prove", "a command tries somebody's weights phase by phase and writes what works"
        ),
        Capability(
            "PhotoMaker-V2's layout", "its file is converted to safetensors and loads by its keys"
        ),
        Capability(
            "identity perceiver", "CLIP features, queried by the face vector, become two tokens"
        ),
        Capability(
            "face perceiver", "learned queries make face tokens of CLIP's last but one layer"
        ),
        Capability("text fusion", "identity tokens enter the text at the subject's word"),
        Capability("CAN", "conditioned adaptive normalization shifts the modulation by identity"),
        Capability("face stream", "face tokens pass the layers with a modulation of their own"),
        Capability("decoupled cross-attention", "all tokens look at the face in the even layers"),
        Capability(
            "paper's size",
            "CogVideoX-5B with the paper's adapter has its 12.80 billion parameters",
            first=True,
        ),
        Capability("guidance modes", "what the unconditional branch sees can be chosen"),
        Capability("modulation tables", "known time steps need the modulation layers once"),
        Capability("folded VAE", "pictures and clips of nine frames pass a VAE in two dimensions"),
        Capability(
            "several subjects and shots", "a method enrols people once and makes shots of them"
        ),
    ),
    "Training": (
        Capability(
            "stage 1, on pictures", "training on pictures moves the adapter's weights", first=True
        ),
        Capability("stage 2, on clips", "training goes on from stage 1 on clips", first=True),
        Capability(
            "training from shards",
            "latents, texts and features are computed once; memory does not grow with samples",
        ),
        Capability("face-area loss", "a share of the samples weighs the face's latents alone"),
        Capability("identity loss", "a recogniser's gradient through the VAE, or a refusal"),
        Capability("modulation only", "CAN and phi_face learn, and nothing else moves"),
        Capability(
            "figures 8, 9 and 14", "the paper's claims about modulation, measured on drawn people"
        ),
        Capability(
            "bfloat16 with float32 masters",
            "the paper's precision and learning rate really move weights",
            first=True,
        ),
        Capability(
            "8-bit optimiser", "moments of a byte a number; a resume repeats the straight run"
        ),
        Capability(
            "table 3's benchmark",
            "parameters, memory and seconds of base and ours, phase by phase; run on no GPU yet",
        ),
        Capability("resume", "a killed training ends with the bytes of an uninterrupted one"),
        Capability("equal runs", "the same inputs give the same files"),
        Capability(
            "CUDA",
            "training and generation on a GPU",
            first=True,
            missing="the code asks PyTorch for the device, but no test has run on one",
        ),
        Capability(
            "several processes",
            "a training on several processes sees the same batches, shards what it keeps, and goes "
            "on with another number of them",
        ),
        Capability(
            "several GPUs",
            "the same on GPUs",
            missing="two processes on a CPU have run (gloo); no test has run on GPUs",
        ),
    ),
    "Evaluation": (
        Capability(
            "metrics and controls",
            "identity, FM_ref, FM_inter with intervals over people, beside clips of known value",
        ),
        Capability("ladder", "which link of the chain loses the person"),
        Capability("held-out people", "who is tested was seen by no training step"),
        Capability(
            "VBench and user study",
            "the paper's remaining scores",
            missing="no VBench weights are used and no people were asked",
        ),
    ),
    "Release and serving": (
        Capability(
            "promotion, pins, rollback",
            "a rule chooses the champion; an earlier release is brought back and stays",
        ),
        Capability(
            "serving follows the champion",
            "a promotion or rollback is served without a restart, and no request is lost",
        ),
        Capability("served release", "every byte is checked before any of its code runs"),
        Capability(
            "served as evaluated",
            "a served clip is the evaluated one up to rounding; equal requests get equal bytes",
        ),
        Capability("door limits", "a full house, slow senders and large bodies are refused"),
        Capability(
            "consent",
            "no folder is read and no request answered without a basis; its words stay private",
            first=True,
        ),
        Capability(
            "word filter", "nudity and children are not made, as far as a prompt's words tell"
        ),
        Capability(
            "generate", "photographs and a sentence become a clip and its record", first=True
        ),
        Capability(
            "pictures", "one frame is a PNG, by the same command, server and record as a clip"
        ),
        Capability(
            "multi-shot",
            "several sentences show one person, looked at once, from one noise; each shot alone "
            "gives the same bytes",
        ),
        Capability("unknown words", "words that the text encoder reads letter by letter are told"),
        Capability("generate --again", "a record makes the same bytes on equal hardware"),
        Capability(
            "generate --batch",
            "a file of orders is made in one folder and gone on with; what is refused says why",
        ),
        Capability(
            "ConsisID",
            "a third method, by diffusers' pipeline; neither its weights nor its encoders of faces "
            "were run",
        ),
        Capability(
            "generate --low-memory",
            "one network at a time and tiles, for every method; not run on a GPU",
        ),
        Capability(
            "model card",
            "an adapter is exported with a card that hubs read and whose own lines run; not pushed",
        ),
        Capability("mlflow models serve", "the stock server serves the same model"),
        Capability("read-only trees", "who may only read lists releases and serves"),
        Capability("wheel", "the library alone generates in an empty environment"),
    ),
    "As a diffusers user": (
        Capability("stock calls", "without identity the stock pipeline answers, to the bit"),
        Capability("calls with an identity", "what works of the stock call and what is refused"),
        Capability(
            "loading and saving", "folders open and save as diffusers does; no pickle is read"
        ),
        Capability("offloading", "the same latents with weights moved in and out"),
        Capability("caches", "the caches of diffusers keep the identity, or are refused"),
        Capability("LoRA", "a LoRA learns and loads beside the adapter"),
    ),
    "Running it": (
        Capability("Dagster over DVC", "one way down; whoever ran last, both agree"),
        Capability(
            "nights alone",
            "what arrived or left is trained at night, a rule promotes, what broke is told",
            first=True,
        ),
        Capability("STRICT=1", "what other code made is named, and made again when asked"),
        Capability("killed, moved, full disk", "a run goes on, elsewhere too, and nothing is lost"),
        Capability("one at a time", "a second run in one tree is told of the first"),
        Capability("damage", "a changed bit of an output is noticed before it is used"),
        Capability("audits", "data that fails its suite stops its stage"),
        Capability("tracking", "MLflow never stands in a stage's way, and no point is lost"),
        Capability("catalogue and page", "tables, SQL and the report page tell the same numbers"),
    ),
    "Magic-Me": (
        Capability(
            "tokens of a subject",
            "a subject's tokens are learned from photographs on Stable Diffusion 1.5, and read by "
            "other tools; not run on the published weights",
        ),
        Capability(
            "tokens of a subject on CogVideoX",
            "drawn people and objects are learned on the embedded backbone, and shown in clips",
        ),
        Capability(
            "clips of a subject",
            "AnimateDiff's motion module moves a learned subject; not run on the published weights",
        ),
        Capability(
            "refined clips",
            "a face, or a clip in windows, is redrawn by a model; not run on the published weights",
        ),
        Capability(
            "prompt-to-segmentation",
            "masks by one's own pictures, by a face, or by Grounding DINO and SAM keep the "
            "background out of the tokens; those two were not run on their published weights",
        ),
        Capability(
            "metrics of a subject",
            "CLIP-I, DINO, CLIP-T and smoothness of any clip beside motion, and proxies without "
            "weights; not run on the published weights",
        ),
        Capability(
            "Magic-Me's protocol",
            "16 drawn subjects and 25 sentences, and the paper's two ablations as claims with "
            "verdicts",
        ),
    ),
    "Past one machine": (
        Capability(
            "Ray",
            "files, faces, references, shards of precompute and clips of evaluate on a cluster, "
            "with the same bytes; a node may die",
        ),
        Capability(
            "object store",
            "what was made is pushed to S3 or a folder and pulled elsewhere by one line; nothing "
            "runs again",
        ),
        Capability(
            "experiments",
            "`dvc exp run` in the tree, aside and queued: the tree stays as it was, nothing is "
            "registered, and MLflow keeps the runs under the experiment's name",
        ),
        Capability(
            "shards from a store",
            "a training reads its shards from S3 as if they lay on disk, where they need not lie",
        ),
        Capability(
            "shared services", "two trees keep one set of Dagster's books and one MLflow server"
        ),
        Capability(
            "team",
            "Dagster's page, MLflow's and the door behind one password, as plain processes on "
            "PostgreSQL",
        ),
        Capability(
            "backup",
            "a tree and a team's books are saved by one command and restored whole by another",
        ),
        Capability(
            "alerts",
            "a run that failed is told of once, with what and where, by log, webhook and e-mail",
        ),
        Capability(
            "doctor", "what is wrong in a tree or on its machine is said, with what mends it"
        ),
        Capability(
            "explain", "what made a release or a sample, and where it went, from what stages left"
        ),
        Capability("plan", "hours, disk, traffic and memory before anything is rented"),
        Capability(
            "two machines, one graph",
            "a stage of this tree's graph runs on another machine",
        ),
    ),
}

ALL: dict[str, Capability] = {c.name: c for group in GROUPS.values() for c in group}


def check(*names: str, scale: str = "") -> None:
    """Raise `ValueError` unless a marker's arguments are one known name and a scale."""
    if len(names) != 1 or names[0] not in ALL:
        raise ValueError(f"{names} is no capability of tests/capabilities.py")
    if scale not in SCALES:
        raise ValueError(f"capability {names[0]!r}: scale is {scale!r}, not T, L or R")
