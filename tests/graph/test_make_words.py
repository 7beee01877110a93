"""What a person writes behind `make` reaches the command as it was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TELLS = """
import json, os, sys
print(json.dumps([sys.argv[1:], {"MM_STRICT": os.environ.get("MM_STRICT")}]))
"""
SHOWS = f"""#!/bin/sh
case "$*" in "-m mm_model "*|*orchestration.run) exec {sys.executable} -I -S tells.py "$@";; esac
"""
STRANGE = (
    "a woman wins $100 and smiles",
    "$HOME $(HOME) ${HOME} $$ $@ $(shell touch made)",
    'it\'s "so" `touch made`; touch made & $(touch made) | cat > made',
    "two\nlines\\n and a \\ at the end\\",
    "--force",
    "a, (b) #c %d *.py ~ =e := ",
    "für 日本 ☂",
)


@pytest.fixture
def made(tmp_path: Path):
    """`made(words, environment)`: argument lists that Python would get, and MM_STRICT."""
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "uv"):
        (folder / name).write_text(SHOWS)
        (folder / name).chmod(0o755)
    (tmp_path / "tells.py").write_text(TELLS)
    (tmp_path / "installed").touch()

    def run(words: list[str], **environment: str) -> list[tuple[list[str], dict]]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        done = subprocess.run(
            ["make", "-o", "installed", "STAMP=installed", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**kept, **environment},
        )
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "made").exists()
        return [tuple(json.loads(line)) for line in done.stdout.splitlines() if line[0] == "["]

    return run


def _options(said: list[str]) -> dict[str, str]:
    return dict(one.split("=", 1) for one in said if "=" in one)


@pytest.mark.parametrize("text", STRANGE)
def test_free_text_stays_what_it_is(made, text: str) -> None:
    names = ("REF", "PROMPT", "CONSENT", "OUT", "ADAPTER", "FACEPACK")
    wanted = {f"--{name.lower()}": text for name in names}
    ((said, _),) = made(["generate", *(f"{name}={text}" for name in names)])
    assert said[:3] == ["-m", "mm_model", "generate"] and _options(said) == wanted
    ((said, _),) = made(["generate"], **dict.fromkeys(names, text))
    assert _options(said) == wanted, "from the environment"
    used, _run = made(["run", f"SOURCES={text}", f"FACEPACK={text}", f"CONSENT={text}"])
    assert _options(used[0]) == {"--sources": text, "--facepack": text, "--consent": text}


def test_what_is_not_said_is_no_option(made) -> None:
    assert made(["generate"])[0][0] == ["-m", "mm_model", "generate"]
    ((said, _),) = made(["generate", "REF=", "PROMPT=", "SEED=0", "STEPS=3", "SIZE=64x64"])
    assert said[3:] == ["--seed=0", "--size=64x64", "--steps=3"]


@pytest.mark.parametrize("word", ["0", "", "no", "false", "1 2", "$(BIN)"])
def test_only_1_replaces_a_clip(made, word: str) -> None:
    assert "--force" not in made(["generate", f"FORCE={word}"])[0][0]
    assert "--force" not in made(["generate"], FORCE=word)[0][0]


def test_1_replaces_a_clip(made) -> None:
    assert made(["generate", "FORCE=1"])[0][0][3:] == ["--force"]


def test_switches_that_say_no_are_off(made) -> None:
    assert [strict["MM_STRICT"] for _, strict in made(["run", "STRICT=0"])] == ["0"]
    assert [strict["MM_STRICT"] for _, strict in made(["run", "STRICT="])] == [None]
    assert [strict["MM_STRICT"] for _, strict in made(["run", "STRICT=1"])] == ["1"]
    assert len(made(["run", "SOURCES=", "PROFILE="])) == 1


@pytest.mark.parametrize("word", ["0", "", "no", "/usr/bin/uv"])
def test_only_1_sets_up_with_uv(word: str, tmp_path: Path) -> None:
    """uv itself sets a variable of that name for what it runs."""
    for given, environment in (([f"UV={word}"], {}), ([], {"UV": word})):
        said = subprocess.run(
            ["make", "-n", *given, f"STAMP={tmp_path / 'none'}", "setup"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **environment},
        ).stdout
        assert "-m pip install" in said and "uv pip" not in said
