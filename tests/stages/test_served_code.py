"""What counts as served code: what serving imports, however it does, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_model.evaluate import stage as evaluate
from mm_model.serving import code
from tests.written import written

SOURCES = {
    "__init__.py": "",
    "plain.py": "",
    "inner.py": "",
    "typed.py": "",
    "other.py": "",
    "conditional.py": "",
    "training.py": "from mm_model import plain\n",
    "serving/__init__.py": "",
    "serving/model.py": (
        "from typing import TYPE_CHECKING\n"
        "import mm_model.plain\n"
        "from mm_model.deep import below\n"
        "import json, mm_models\n"
        "if TYPE_CHECKING:\n    from mm_model import typed\n"
        "else:\n    from mm_model import other\n"
        "try:\n    import mm_model.conditional\nexcept ImportError:\n    pass\n"
        "def load():\n    from mm_model.inner import thing\n"
    ),
    "deep/__init__.py": "",
    "deep/below.py": "from mm_model import plain, missing\n",
    "deep/beside.py": "",
}
SERVED = {
    "__init__.py",
    "plain.py",
    "inner.py",
    "other.py",
    "conditional.py",
    "serving/__init__.py",
    "serving/model.py",
    "deep/__init__.py",
    "deep/below.py",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return written(tmp_path, SOURCES)


def test_every_import_of_ours_is_followed(package: Path) -> None:
    assert set(code.modules(package)) == SERVED


@pytest.mark.parametrize("name", SOURCES)
def test_the_digest_follows_what_is_served_only(package: Path, name: str) -> None:
    before = code.digest(package)
    with (package / name).open("a") as module:
        module.write("# changed\n")
    assert (code.digest(package) != before) == (name in SERVED)


def test_byte_code_and_time_do_not_matter(package: Path) -> None:
    before = code.digest(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "plain.cpython-311.pyc").write_bytes(b"x")
    (package / "plain.py").touch()
    assert code.digest(package) == before


def test_training_and_stages_are_not_served() -> None:
    found = {Path(name).parts[0] for name in code.modules()}
    assert {"nn", "serving", "generation", "methods"} <= found
    unserved = {"train", "run", "register", "evaluate", "pairs", "embedded", "commands", "report"}
    assert not found & unserved
    assert evaluate.STAGE.code is code.digest
