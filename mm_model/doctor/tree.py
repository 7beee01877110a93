"""The tree: its settings, the inputs with their digests and terms, who is at work, its stages."""

import time
from collections.abc import Iterator
from pathlib import Path

from mm_model.doctor.diagnosis import Diagnosis
from mm_model.run import runner, stages, status
from mm_model.settings import Params, load_params, load_profile
from mm_model.store import closure, digests, documents, lease
from mm_model.store.layout import Layout
from mm_model.terms import weights

_SHELVES = ("judges", "captioners", "classifiers", "synthesizer")
_DIGESTED = 1 << 30
"""Weights of more bytes are not read here: their stage does that."""


def settings(root: Path) -> Iterator[Diagnosis]:
    """Whether `params.yaml` and the profile can be used."""
    params = load_params(root)
    profile = load_profile(root, params.profile)
    yield Diagnosis("profile", "good", f"{params.profile}: {profile.title}")
    stages.listed(root)


def inputs(root: Path) -> Iterator[Diagnosis]:
    """Whether every input is there; of weights the digest and the terms of use."""
    params = load_params(root)
    for name in [one for one in Params.model_fields if one != "profile"]:
        path = root / getattr(params, name)
        where = Layout(root, "").relative(path)
        if path.exists():
            said = where if name == "sources" else _of_weights(path, where)
            yield Diagnosis(name, "good", said)
        elif name in _SHELVES:
            yield Diagnosis(name, "note", f"the shelf {where} is not there; nothing is on it")
        else:
            fix = f"correct {name} in params.yaml"
            yield Diagnosis(name, "bad", f"{where} is not there", fix)


def _of_weights(path: Path, where: str) -> str:
    """Size, digest and terms of use.

    Raises:
        UserError: they are not what their own manifest says.
    """
    held = _weights(path)
    if not held:
        return f"{where} holds no weights"
    size, known = sum(one.stat().st_size for one in held), "not read, it is large"
    if size <= _DIGESTED:
        runner.as_recorded(path)
        known = digests.of_path(path)[:12]
    terms = weights.of_folder(path)
    return f"{where}, {size / 1e6:.1f} MB, digest {known}, use: {terms.use}, {terms.because}"


def _weights(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    names = digests.files_below(path)
    return [path / name for name in names if not name.lower().endswith((".md", ".txt"))]


def at_work(root: Path) -> Iterator[Diagnosis]:
    """Who holds the tree."""
    holder, lives = lease.look(Layout(root, "").lease)
    if holder is None:
        yield Diagnosis("lock", "good", "nobody is at work here")
    elif lives is False:
        said = f"{holder.what} (process {holder.process} on {holder.host}) is gone"
        yield Diagnosis("lock", "good", f"{said}; its lock holds nobody up")
    elif lives:
        yield Diagnosis("lock", "note", holder.fact)
    else:
        said = f"{holder.what} of {holder.host} may be at work here"
        yield Diagnosis("lock", "note", said, "the next run watches whether it lives")


def outputs(root: Path, package: Path = closure.PACKAGE) -> Iterator[Diagnosis]:
    """Stages that would run or that other code than `package` made, and candidates that failed
    their audit and lie aside."""
    params = load_params(root)
    layout = Layout(root, params.profile)
    found = status.of_tree(root, params, package)
    late = [one for one in found if not one.is_current]
    for one in late:
        absent = not layout.output(one.stage).exists()
        sentence = "was not made yet" if absent else one.line()
        # what is up to date and of other code runs only when told so
        fix = "make run STRICT=1 makes it again" if one.state == "up to date" else "make run"
        yield Diagnosis(one.stage, "note", sentence, fix)
    if not late:
        yield Diagnosis("stages", "good", f"all {len(found)} are up to date")
    for path in sorted(layout.root.glob(f"work/{params.profile}/*/*/out/audit.json")):
        said = documents.read_or_empty(path)
        if said.get("success") is False:
            at = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
            where = layout.relative(path.parent)
            yield Diagnosis(
                f"{said.get('stage')}",
                "note",
                f"a candidate failed its audit on {at}: {said.get('sentence')}",
                f"see {where}; it may be removed",
            )
