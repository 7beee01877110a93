"""Tampered releases are refused before any of their code runs: a canary proves it.

Each tampering that adds code adds a line that writes the canary file wherever it is run; a control
shows that it would have been.
"""

from __future__ import annotations

import json
import os
import pickle
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.register import card, served
from mm_model.store.layout import Layout
from mm_model.tracking import store
from tests.serving.house import alone

pytestmark = pytest.mark.capability("served release", scale="T")

CANARY, PLACES, WHOLE, ELSEWHERE = "canary", "places.txt", "whole", "elsewhere"
CODE = "code/mm_model"
MODULE = f"{CODE}/errors.py"


@pytest.fixture(scope="module")
def registered(tmp_path_factory: Any) -> Path:
    """A root with two versions, of which the first is champion; `tree` gives it back as it was."""
    root = tmp_path_factory.mktemp("registered") / "root"
    with alone(root) as house:
        house.register_two()
        client = store.open_client(house.layout)
        (root / PLACES).write_text(
            "\n".join(
                client.get_model_version_download_uri("magic-mirror", str(number))
                for number in (1, 2)
            )
        )
    shutil.copytree(Tree(root).one, root / WHOLE)
    return root


class Tree:
    """That root, and where the folders of its versions lie."""

    def __init__(self, root: Path) -> None:
        self.root, self.layout = root, Layout(root, "tiny")
        self.one, self.two = (root / place for place in (root / PLACES).read_text().split())
        self.canary = root / CANARY
        self.more: dict[str, card.File] = {}
        self.blessing = False

    @property
    def payload(self) -> str:
        return f"open({str(self.canary)!r}, 'w').close()\n"

    def flip(self, name: str, at: int = -2) -> None:
        content = bytearray((self.one / name).read_bytes())
        content[at] ^= 1
        (self.one / name).write_bytes(content)

    def add(self, name: str, content: bytes | str) -> None:
        path = self.one / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def append(self, name: str, text: str) -> None:
        self.add(name, (self.one / name).read_bytes() + text.encode())

    def described(self, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
        """Change `MLmodel`: the whole of it and its flavour are handed over."""
        content = yaml.safe_load((self.one / "MLmodel").read_text())
        change(content, content["flavors"]["python_function"])
        self.add("MLmodel", yaml.safe_dump(content, sort_keys=False))

    def measured(self, change: Callable[[dict[str, Any]], Any]) -> None:
        content = json.loads((self.one / "evaluation" / "metrics.json").read_text())
        change(content)
        self.add("evaluation/metrics.json", json.dumps(content, indent=1, sort_keys=True))

    def carded(self) -> str:
        """Write a card that fits what lies there (and `more` of it); return its digest."""
        files = {
            path.relative_to(self.one).as_posix(): card.of_file(path)
            for path in sorted(self.one.rglob("*"))
            if path.is_file() and path.name != card.NAME
        }
        made = card.Card(card.read(self.one).parts, files | self.more)
        self.add(card.NAME, made.as_bytes())
        return made.digest

    def blessed(self) -> None:
        """As `carded`, by somebody who may write to the registry too."""
        self.blessing = True
        self.believed(self.carded())

    def believed(self, digest: str) -> None:
        store.open_client(self.layout).set_model_version_tag(
            "magic-mirror", "1", "release_digest", digest
        )


def _swapped(tree: Tree) -> None:
    first, second = tree.one / MODULE, tree.one / CODE / "environment.py"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def _linked(tree: Tree) -> None:
    elsewhere = tree.root / ELSEWHERE
    (tree.one / MODULE).rename(elsewhere)
    (tree.one / MODULE).symlink_to(elsewhere)


def _linked_folder(tree: Tree) -> None:
    (tree.one / "code").rename(tree.root / ELSEWHERE)
    (tree.one / "code").symlink_to(tree.root / ELSEWHERE)


def _byte_code(tree: Tree) -> None:
    """Byte code that Python takes for the module's own: same time, same size."""
    source = tree.one / MODULE
    status = source.stat()
    honest = source.read_bytes()
    evil = tree.payload.encode()
    source.write_bytes(evil + b"#" * (len(honest) - len(evil)))
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    py_compile.compile(str(source), doraise=True)
    source.write_bytes(honest)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))


def _sourceless(tree: Tree) -> None:
    source = tree.one / CODE / "extra.py"
    source.write_text(tree.payload)
    py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")), doraise=True)
    source.unlink()


def _only(tree: Tree, keep: Callable[[Path], bool]) -> None:
    for path in [path for path in tree.one.rglob("*") if path.is_file() and not keep(path)]:
        path.unlink()


class _Evil:
    def __init__(self, line: str) -> None:
        self.line = line

    def __reduce__(self) -> Any:
        return exec, (self.line,)


def _pickle(tree: Tree) -> bytes:
    return pickle.dumps(_Evil(tree.payload))


def _from_two(name: str) -> Callable[[Tree], Any]:
    def replace(tree: Tree) -> None:
        there, here = tree.two / name, tree.one / name
        if there.is_dir():
            shutil.rmtree(here)
            shutil.copytree(there, here)
        else:
            shutil.copyfile(there, here)

    return replace


WEIGHTS = (
    "artifacts/adapter/magic_mirror_config.json",
    "artifacts/backbone/model_index.json",
    "artifacts/facepack/detector.onnx",
)
OTHERS = (
    "MLmodel",
    "model.py",
    MODULE,
    "evaluation/metrics.json",
    "requirements.txt",
    "conda.yaml",
    "python_env.yaml",
    "card.json",
)
TAMPERINGS: dict[str, Callable[[Tree], Any]] = {
    **{f"a bit of {name}": lambda t, name=name: t.flip(name) for name in (*WEIGHTS, *OTHERS)},
    "a bit at the start of the card": lambda t: t.flip("card.json", 40),
    "two modules swapped": _swapped,
    "a line added to a module": lambda t: t.append(MODULE, t.payload),
    "a line added to the package": lambda t: t.append(f"{CODE}/__init__.py", t.payload),
    "a line added to the script": lambda t: t.append("model.py", t.payload),
    "a module added": lambda t: t.add(f"{CODE}/extra.py", t.payload),
    "a module that hides Python's": lambda t: t.add("code/json.py", t.payload),
    "a module Python runs at its start": lambda t: t.add("code/sitecustomize.py", t.payload),
    "a module beside the script": lambda t: t.add("extra.py", t.payload),
    "a library in the code": lambda t: t.add(f"{CODE}/extra.so", b"\x7fELF" + bytes(60)),
    "byte code of a module": _byte_code,
    "byte code without a module": _sourceless,
    "another loader": lambda t: t.described(lambda _, f: f.update(loader_module="mm_model.extra")),
    "another script": lambda t: (
        t.add("other.py", t.payload),
        t.described(lambda _, f: f.update(model_code_path="other.py")),
    ),
    "code elsewhere": lambda t: t.described(lambda _, f: f.update(code="../../code")),
    "a second flavour": lambda t: t.described(
        lambda m, _: m["flavors"].update(other={"loader_module": "extra"})
    ),
    "more frames allowed": lambda t: t.described(
        lambda _, f: f["config"]["serve"].update(max_frames=900)
    ),
    "a better figure": lambda t: t.measured(
        lambda m: m["variants"]["finetune"]["identity"].update(value=0.9)
    ),
    "a link instead of a file": _linked,
    "a link instead of a folder": _linked_folder,
    "a name that leads out, on the card": lambda t: (
        t.more.update({"../../evil.py": card.of_bytes(b"")}),
        t.carded(),
    ),
    "an odd name": lambda t: t.add("artifacts\\adapter\\x.json", "{}"),
    "a name with a line break": lambda t: t.add(f"{CODE}/a\nb.py", t.payload),
    "a pickle": lambda t: t.add("artifacts/adapter/weights.pkl", _pickle(t)),
    "a pickle by another name": lambda t: t.add("artifacts/adapter/more.safetensors", _pickle(t)),
    "a pickle in place of weights": lambda t: t.add(WEIGHTS[2], _pickle(t)),
    "a package asked for": lambda t: t.append("requirements.txt", "evil @ file:///tmp/evil\n"),
    "a package asked for by conda": lambda t: t.append("conda.yaml", "  - evil\n"),
    "a package to build with": lambda t: t.append("python_env.yaml", "- evil\n"),
    "weights missing": lambda t: (t.one / WEIGHTS[0]).unlink(),
    "a module missing": lambda t: (t.one / MODULE).unlink(),
    "no card": lambda t: (t.one / "card.json").unlink(),
    "nothing but folders": lambda t: _only(t, lambda path: False),
    "nothing but the card": lambda t: _only(t, lambda path: path.name == "card.json"),
    "no folder": lambda t: shutil.rmtree(t.one),
    "an empty folder more": lambda t: (t.one / "code" / "yaml").mkdir(),
    "weights cut short": lambda t: t.add(WEIGHTS[2], (t.one / WEIGHTS[2]).read_bytes()[:-1]),
    "weights made longer": lambda t: t.append(WEIGHTS[2], "\0"),
    "a pipe": lambda t: os.mkfifo(t.one / "artifacts" / "adapter" / "pipe"),
    "another release's adapter": _from_two("artifacts/adapter"),
    "another release's evaluation": _from_two("evaluation/metrics.json"),
    "another release's card": _from_two("card.json"),
    "another release": lambda t: (shutil.rmtree(t.one), shutil.copytree(t.two, t.one)),
    "a note that is none of MLflow's": lambda t: t.add("registered_model_meta", t.payload),
    "a line break behind the card": lambda t: t.append("card.json", "\n"),
    "blanks behind the card": lambda t: t.append("card.json", " " * 5000),
    "a card in other words": lambda t: t.add(
        "card.json", json.dumps(json.loads((t.one / "card.json").read_bytes()))
    ),
    "a card that says a thing twice": lambda t: t.add(
        "card.json", (t.one / "card.json").read_text().replace("{", '{"schema": 9,', 1)
    ),
    "a card with a mark before it": lambda t: t.add(
        "card.json", b"\xef\xbb\xbf" + (t.one / "card.json").read_bytes()
    ),
    "a card that fits": lambda t: (t.add(f"{CODE}/extra.py", t.payload), t.carded()),
}

BLESSED: dict[str, Callable[[Tree], Any]] = {
    "another loader": TAMPERINGS["another loader"],
    "another script": TAMPERINGS["another script"],
    "a script that is not the module": TAMPERINGS["a line added to the script"],
    "a pickled model": lambda t: (
        t.add("python_model.pkl", _pickle(t)),
        t.described(lambda _, f: f.update(python_model="python_model.pkl")),
    ),
    "a pickle by another name": TAMPERINGS["a pickle by another name"],
    "a module that hides Python's": TAMPERINGS["a module that hides Python's"],
    "byte code of a module": _byte_code,
    "a package asked for": TAMPERINGS["a package asked for"],
    "a package that was not measured with": lambda t: t.append("requirements.txt", "evil==1.0\n"),
    "artifacts elsewhere": lambda t: t.described(
        lambda _, f: f["artifacts"]["adapter"].update(path="../../../adapter")
    ),
    "an adapter that was not evaluated": _from_two("artifacts/adapter"),
    "code that was not evaluated": TAMPERINGS["a line added to a module"],
    "a name that leads out": TAMPERINGS["a name that leads out, on the card"],
    "weights of another backbone": lambda t: t.add(WEIGHTS[1], '{"other": 1}'),
}


@pytest.fixture
def tree(registered: Path, monkeypatch: Any) -> Iterator[Tree]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tree = Tree(registered)
    yield tree
    shutil.rmtree(tree.one, ignore_errors=True)
    for left in (tree.canary, tree.root / ELSEWHERE):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    shutil.copytree(tree.root / WHOLE, tree.one)
    if tree.blessing:
        tree.believed(card.read(tree.one).digest)


def refusal(tree: Tree) -> str:
    with pytest.raises(UserError) as caught:
        served.checked_folder(tree.layout, "magic-mirror")
    assert not tree.canary.exists(), "code of the tampered release was run"
    return str(caught.value)


def test_there_are_thirty_and_more() -> None:
    assert len(TAMPERINGS) >= 30


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_release_is_refused_and_none_of_it_runs(tree: Tree, name: str) -> None:
    TAMPERINGS[name](tree)
    said = refusal(tree)
    assert str(tree.one) in said and "\n" not in said and said.endswith(".")


@pytest.mark.parametrize("name", BLESSED)
def test_not_even_the_registry_s_word_makes_something_else_of_a_release(
    tree: Tree, name: str
) -> None:
    BLESSED[name](tree)
    tree.blessed()
    assert str(tree.one) in refusal(tree)


@pytest.mark.parametrize(
    "name",
    [
        "a line added to the package",
        "a module Python runs at its start",
        "byte code of a module",
        "byte code without a module",
    ],
)
def test_the_canary_sings_where_nobody_checks(tree: Tree, name: str) -> None:
    TAMPERINGS[name](tree)
    module = "mm_model.extra" if "without" in name else "mm_model.errors"
    environment = {"PYTHONPATH": str(tree.one / "code"), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-P", "-c", f"import {module}"], env=environment, check=True)
    assert tree.canary.exists()


def test_what_mlflow_notes_in_a_folder_it_serves_is_no_tampering(tree: Tree) -> None:
    tree.add("registered_model_meta", "model_name: magic-mirror\nmodel_version: '1'\n")
    assert served.checked_folder(tree.layout, "magic-mirror") == tree.one


@pytest.mark.parametrize(
    "note",
    [
        "model_name: {a: {b: [1, 2]}}\nmodel_version: '1'\n",
        "model_name: &a [*a]\nmodel_version: '1'\n",
        "model_name: &a x\nmodel_version: *a\n",
        "model_name: x\nmodel_version: true\n",
        "model_name: x\nmodel_version: 0x1\n",
        "model_name: x\nmodel_version:\n",
        "model_version: '1'\nmodel_name: x\n",
        "model_name: x\nmodel_name: y\nmodel_version: '1'\n",
        "model_name: x # more\nmodel_version: '1'\n",
        "model_name: x\nmodel_version: '1'\n\n",
        "{model_name: x, model_version: '1'}\n",
        "--- \nmodel_name: x\nmodel_version: '1'\n",
        "? [a]\n: b\n",
        "model_name: !!python/name:os.system x\nmodel_version: '1'\n",
        "model_name: \udcff\nmodel_version: '1'\n",
    ],
)
def test_no_other_note_than_mlflow_s_own_is_let_pass(tree: Tree, note: str) -> None:
    tree.add("registered_model_meta", note.encode("utf-8", "surrogateescape"))
    assert "registered_model_meta does not belong to the release" in refusal(tree)


@pytest.mark.parametrize("name", ["magic-mirror", "ein Spiegel: zwei", "3", "null", "miroir é"])
def test_mlflow_s_note_is_let_pass_whatever_the_model_is_called(tree: Tree, name: str) -> None:
    from mlflow.utils.yaml_utils import write_yaml

    for version in ("12", 12):  # as it was asked for by number or by alias
        said = {"model_name": name, "model_version": version}
        write_yaml(str(tree.one), "registered_model_meta", said, True, True, False)
        assert served.checked_folder(tree.layout, "magic-mirror") == tree.one


def test_another_version_is_served_by_its_number_or_alias(tree: Tree) -> None:
    assert served.checked_folder(tree.layout, "magic-mirror", "2") == tree.two
    assert served.checked_folder(tree.layout, "magic-mirror", "challenger") == tree.two
    for wanted in ("3", "nobody"):
        with pytest.raises(UserError, match="releases' lists"):
            served.checked_folder(tree.layout, "magic-mirror", wanted)
