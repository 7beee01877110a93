"""Choosing what runs: a shipped profile on its shipped inputs, or a folder of one's own media.

Writes `params.yaml` and, for a folder, the ignored `profiles/local.yaml`, which says only what is
not as in the profile that it builds on. Checks every path first and changes nothing when one is
wrong.
"""

import os
from pathlib import Path

import yaml

from mm_model.errors import UserError
from mm_model.media.consent import NAME as CONSENT_FILE
from mm_model.media.consent import consents_of, keep, statements
from mm_model.media.folder import media_below
from mm_model.media.names import TAR_ENDINGS, shown, tar_ending
from mm_model.media.terms import NAME as SOURCE_FILE
from mm_model.settings import Params, load_params, load_profile
from mm_model.settings.bases import BASE, LOCAL, Values, without
from mm_model.settings.load import holds, resolved
from mm_model.store import atomic
from mm_model.store.consents import Statement, stated
from mm_model.store.named import path

_HEAD = (
    "# Which profile runs, and on what. Paths count from here; "
    "`make run SOURCES=... FACEPACK=...` rewrites them.\n"
)
_MEANING = {
    "profile": "profiles/<profile>.yaml and its base hold every value",
    "sources": "a folder of photographs and clips, or a recipe of procedural people",
    "facepack": "InsightFace-format pack: filters, pairs, evaluation landmarks",
    "judge": "recogniser that no loss, filter or conditioning ever used",
    "judges": "shelf of outsiders that judge too (make judges); may be empty",
    "captioners": "shelf of models that caption; may be empty (docs/real-media.md)",
    "classifiers": "shelf that finds watermarks; may be empty (docs/decisions/watermark.md)",
    "synthesizer": "SDXL and PhotoMaker-V2, where a profile paints references; may be empty",
    "backbone": "frozen CogVideoX pipeline folder with its identity encoder",
}
_COMMENT_COLUMN = 47

_EMBEDDED = {
    "sources": "profiles/people.yaml",
    "facepack": "weights/tiny/facepack/models/tiny",
    "judge": "weights/tiny/judge/models/judge",
    "judges": "weights/judges",
    "captioners": "weights/captioners",
    "classifiers": "weights/classifiers",
    "synthesizer": "weights/synthesizer",
    "backbone": "weights/tiny/backbone",
}
"""The shipped inputs, all of them ours."""

_EMBEDDED_PROFILES = {"tiny": {}, "tiny-long": {"sources": "profiles/people-long.yaml"}}
"""Profiles with shipped inputs, and where theirs differ from the embedded default's."""

_ROWS_OF_FILES = {  # the least share of the files found that a stage's table must still hold
    "ingest": 0.5,
    "faces": 0.25,
    "pairs": 0.25,
    "precompute": 0.1,
    "pretrain": 0.1,
    "finetune": 0.01,
    "evaluate": 0.05,
}


def use_profile(root: Path, name: str) -> None:
    """Make `<root>/params.yaml` name the profile `name` on the inputs shipped for it.

    A profile without shipped inputs keeps the inputs that params.yaml names now.

    Raises:
        UserError: there is no such profile.
    """
    values = of_profile(root, name).model_dump()
    if name not in _EMBEDDED_PROFILES:
        print(
            f"Profile {name} has no inputs of its own; params.yaml keeps "
            f"sources {values['sources']}, backbone {values['backbone']}."
        )
    atomic.write_text(root / "params.yaml", params_text(values))
    print(f"params.yaml: profile {name}, sources {values['sources']}.")


def of_profile(root: Path, name: str) -> Params:
    """What params.yaml would say for the profile `name`: its shipped inputs, else those named now.

    Raises:
        UserError: there is no such profile.
    """
    load_profile(root, name)
    if name in _EMBEDDED_PROFILES:
        return Params(profile=name, **_EMBEDDED | _EMBEDDED_PROFILES[name])
    return load_params(root).model_copy(update={"profile": name})


def use_folder(
    root: Path,
    sources: str | None,
    facepack: str | None,
    consent: str | None,
    base: str = "real-small",
) -> None:
    """Make the next run use a folder of media: write `profiles/local.yaml` and `params.yaml`.

    Args:
        sources: the folder, or a single tar of samples; relative paths count from the working
            directory.
        facepack: `<root>/<name>` of InsightFace's `FaceAnalysis(name, root)`, or that pack's own
            folder `<root>/models/<name>`.
        consent: basis for the whole folder, in words or as `<basis>:<evidence>`; giving it states
            that everyone shown agreed to this use and is an adult. Not needed when the folder
            holds a consent.yaml. The profile gets its id, the words go into the file of consents.
        base: profile whose values to start from; the written one builds on it.

    Raises:
        UserError: a path is wrong, the folder holds no media, or there is no consent record.
    """
    load_profile(root, base)
    folder = _folder(sources)
    pack = _pack(root, facepack, base)
    for word, named in ("SOURCES", folder), ("FACEPACK", pack):
        if holds(root.resolve(), named):
            raise UserError(
                f"{word}={named} holds this tree itself: name a folder beside or inside it."
            )
    given = stated(consent) if consent and consent.strip() else None
    found = statements(consents_of(folder, given).values())
    files = _number_of_files(folder, sources)
    profile, lowered = _local_profile(root, base, files, given)
    for statement in {*found, *([given] if given else [])}:
        keep(statement, root)
    params = {
        "profile": LOCAL,
        "sources": _from_root(root, folder),
        "facepack": _from_root(root, pack),
    }
    atomic.write_text(root / "profiles" / f"{LOCAL}.yaml", profile)
    atomic.write_text(root / "params.yaml", params_text(_EMBEDDED | params))
    load_profile(root, LOCAL)
    print(f"params.yaml: profile {LOCAL} (values of {base}), {files} files in {folder}.")
    ids = ", ".join(statement.id for statement in found) or "the licence beside each file"
    print(f"Consent: {ids} from {_consent_origin(folder, given, found)}.")
    for line in lowered:
        print(line)


def _number_of_files(folder: Path, said: str | None) -> int:
    """Files of media below the folder that can be read, at least one; a tar counts as one."""
    if folder.is_file():
        return 1
    entries = media_below(folder)
    files = sum(found.problem is None for found in entries)
    if files == 0:
        first = [f" that can be read ({shown(e.relative)}: {e.problem})" for e in entries[:1]]
        raise UserError(
            f"SOURCES={said} holds no photographs or clips{''.join(first)}: "
            "name a folder with JPEG, PNG, WebP, MP4 or WebM files."
        )
    return files


def params_text(values: dict[str, str]) -> str:
    """The text of a params.yaml with these values, comments included.

    Raises:
        ValueError: not exactly the keys of `settings.Params`.
    """
    chosen = Params(**values)
    lines = [_HEAD]
    for key, meaning in _MEANING.items():
        text = yaml.safe_dump({key: getattr(chosen, key)}, width=10_000, allow_unicode=True).strip()
        lines.append(f"{text.ljust(_COMMENT_COLUMN - 1)} # {meaning}\n")
    return "".join(lines)


def _folder(sources: str | None) -> Path:
    if not sources:
        raise UserError("Give --profile <name>, or --sources <folder of photographs and clips>.")
    folder = _resolved(sources)
    if not folder.is_dir():
        if folder.is_file() and tar_ending(folder):
            return folder
        raise UserError(
            f"SOURCES={sources} is no folder: name one with photographs and clips, or a single tar "
            f"of samples ({', '.join(TAR_ENDINGS)})."
        )
    return folder


def _resolved(text: str) -> Path:
    """The path in full; links that lead in a circle stay as they are."""
    return Path(os.path.realpath(path(text)))


def _pack(root: Path, facepack: str | None, base: str) -> Path:
    if not facepack:
        if base in _EMBEDDED_PROFILES:
            return root / _EMBEDDED["facepack"]
        raise UserError(
            "FACEPACK is missing: name an InsightFace pack folder, <root>/<name> "
            "(docs: 'FaceAnalysis(name, root)'), since the shipped pack knows drawn faces only."
        )
    named = _resolved(facepack)
    places = [named, named.parent / "models" / named.name]
    for place in places:
        if place.is_dir() and any(place.glob("*.onnx")):
            return place
    raise UserError(
        f"FACEPACK={facepack} holds no .onnx files, nor does {places[1]}: "
        "name the pack as <root>/<name>, with its files in <root>/models/<name>."
    )


def _from_root(root: Path, path: Path) -> str:
    root = root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _consent_origin(folder: Path, given: Statement | None, found: list[Statement]) -> str:
    """Where the statements `found` stand; `given` is what CONSENT says."""
    wins = ", which wins over CONSENT" if given and given not in found else ""
    if (folder / CONSENT_FILE).is_file():
        return f"{folder / CONSENT_FILE}{wins}"
    if (folder / SOURCE_FILE).is_file() and found != [given]:
        return f"what {folder / SOURCE_FILE} says{wins}{' and CONSENT' if given in found else ''}"
    return "CONSENT, stating that everyone shown agreed to this use and is an adult"


def _local_profile(
    root: Path, base: str, files: int, consent: Statement | None
) -> tuple[str, list[str]]:
    """(text of local.yaml, lines on what its data-quality suites can no longer tell)."""
    profile, written = resolved(root, base)
    content: Values = profile.model_dump(mode="json", by_alias=True)
    content["title"] = f"Your folder, with the values of profile {base}"
    content["sources"]["consent"] = consent.id if consent else content["sources"]["consent"]
    lowered = []
    for section, share in _ROWS_OF_FILES.items():
        usual = content[section]["row_floor"]
        floor = min(usual, max(1, int(files * share)))
        content[section]["row_floor"] = floor
        if floor < usual:
            lowered.append(f"{section} {usual} -> {floor}")
    lines = []
    if lowered:
        lines.append(f"Row floors lowered for {files} files: {', '.join(lowered)}.")
    weak = [s for s in _ROWS_OF_FILES if content[s]["row_floor"] == 1]
    if weak:
        lines.append(
            "With a floor of one row, a stage that loses nearly everything still passes its "
            f"suite; look at the counts yourself: {', '.join(weak)}."
        )
    head = (
        f"# Written by `make run SOURCES=...` from profile {base}; ignored by git, "
        "rewritten the next time.\n"
    )
    builds_on = [path.stem for path in written.files if path.stem != LOCAL][:1]
    below = [load_profile(root, name).model_dump(mode="json", by_alias=True) for name in builds_on]
    own = {BASE: builds_on[0], **without(content, below[0])} if below else content
    return head + yaml.safe_dump(own, sort_keys=False, allow_unicode=True), lines
