"""A toy tree with the real graph: the repository's own `dvc.yaml`, toy commands, its own git.

Nothing here stands in for Dagster or DVC; only the stages' work is replaced.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml

from assets.graph import nodes, subject
from mm_model.settings.listed import SEGMENTERS
from mm_model.store import closure
from orchestration import definitions, jobs
from orchestration.dvc_client import DvcStageClient
from orchestration.dvc_command import environment

PATIENCE = 300.0
"""Seconds that something may take to begin, on a machine that does much else."""
REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = (
    *("sources", "ingest", "faces", "pairs", "precompute"),
    *("pretrain", "finetune", "evaluate", "register"),
)


@dataclass
class Tree:
    """One toy tree with its Dagster instance."""

    root: Path
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    @property
    def client(self) -> DvcStageClient:
        """A fresh client of this tree."""
        return DvcStageClient(self.root, views=(), outward=(), package=self.package)

    @property
    def package(self) -> Path:
        """The library that this tree's toy stages say they run."""
        return self._library if self._library.is_dir() else closure.PACKAGE

    @property
    def _library(self) -> Path:
        return self.root / "library" / "mm_model"

    def change_code(self, name: str, old: str, new: str) -> None:
        """Change a line of a library of this tree's own."""
        if not self._library.is_dir():
            shutil.copytree(closure.PACKAGE, self._library, ignore=lambda *_: ["__pycache__"])
        path = self._library / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def definitions(self) -> dg.Definitions:
        """The real definitions, loaded for this tree as it is now."""
        return definitions.build(self.client)

    def dagster(self, *stages: str, **tags: str) -> dg.ExecuteInProcessResult:
        """Materialise everything, or the named stages only, in a run with these tags."""
        job = self.definitions().resolve_job_def(jobs.EVERYTHING)
        return job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            tags=tags,
            asset_selection=[dg.AssetKey(name) for name in stages] or None,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def dvc(self, *arguments: str) -> str:
        """Run a plain `dvc` command, as a user would beside Dagster."""
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.root,
            env=environment(self.root),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def is_clean(self) -> bool:
        """Whether DVC finds every stage up to date."""
        return self.dvc("status", "--json").strip() == "{}"

    def behave(self, **stages: str) -> None:
        """Let stages fail their audit ("audit"), sleep ("sleep") or die ("killed once")."""
        (self.root / "behaviour.json").write_text(json.dumps(stages))

    def until_asleep(self, stage: str = "sources") -> None:
        """Wait until a stage that was told to sleep is at work."""
        end = time.monotonic() + PATIENCE
        while not (self.root / f"sleeping-{stage}").is_file():
            assert time.monotonic() < end, "the stage never began"
            time.sleep(0.05)

    def executed(self) -> list[str]:
        """Stages whose command ran since the last call, in order."""
        log = self.root / "executions.txt"
        names = log.read_text().split() if log.is_file() else []
        log.unlink(missing_ok=True)
        return names

    def set(self, section: str, name: str, value: object) -> None:
        """Change one value of the profile."""
        path = self.root / "profiles" / "tiny.yaml"
        content = yaml.safe_load(path.read_text())
        content.setdefault(section, {})[name] = value
        path.write_text(yaml.safe_dump(content))

    def tick_outside_runs(self) -> int:
        """One tick of the sensor, its events stored as the daemon would; how many there were."""
        sensor = self.definitions().resolve_sensor_def("outside_runs")
        with dg.build_sensor_context(self.instance, resources={"stages": self.client}) as context:
            data = sensor.evaluate_tick(context)
        for event in data.asset_events:
            self.instance.report_runless_asset_event(event)
        return len(data.asset_events)

    def stale(self) -> Mapping[str, str]:
        """Stages that Dagster does not call fresh, with its reasons."""
        from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
        from dagster._core.loader import LoadingContextForTest

        graph = self.definitions().resolve_asset_graph()
        resolver = CachingStaleStatusResolver(
            self.instance, graph, LoadingContextForTest(self.instance)
        )
        found = {}
        for name in STAGES:
            key = dg.AssetKey(name)
            if (status := resolver.get_status(key)) is not StaleStatus.FRESH:
                causes = resolver.get_stale_causes(key)
                found[name] = status.value + "".join(f"; {cause.reason}" for cause in causes)
        return found

    def processes(self) -> list[psutil.Process]:
        """Living processes that belong to this tree."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            here = process.info["cwd"] == str(self.root)
            if (here or str(self.root) in (process.info["cmdline"] or [])) and (
                process.info["status"] != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        return found


def _git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=toy", "-c", "user.email=toy@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def plant(root: Path) -> None:
    """Make a toy tree at `root`, in which nothing ran yet."""
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"):
        shutil.copy(REPOSITORY / name, root / name)
    (root / "profiles").mkdir()
    for name in ("common", "tiny", "overrides"):
        shutil.copy(REPOSITORY / "profiles" / f"{name}.yaml", root / "profiles")
    graph = (REPOSITORY / "dvc.yaml").read_text()
    assert graph.count("python -m mm_model run") >= len(STAGES)
    # Source files of another name: a package called mm_model here would hide the library.
    graph = graph.replace("python -m mm_model run", "python toy_stage.py")
    (root / "dvc.yaml").write_text(graph.replace("- mm_model/", "- source/"))
    (root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    shutil.copy(REPOSITORY / "tests" / "graph" / "toy_stage.py", root)
    (root / "behaviour.json").write_text("{}")
    given = {
        "sources": "raw",
        "facepack": "weights/facepack",
        "judge": "weights/judge",
        "judges": "weights/judges",
        "captioners": "weights/captioners",
        "classifiers": "weights/classifiers",
        "synthesizer": "weights/synthesizer",
        "backbone": "weights/backbone",
    }
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": "tiny", **given}))
    for folder in given.values():
        (root / folder).mkdir(parents=True)
        shelf = folder in (given["judges"], given["synthesizer"])  # which holds no other file
        name = "README.md" if shelf else "first"
        (root / folder / name).write_text(folder)
    (root / SEGMENTERS).mkdir(parents=True)
    (root / SEGMENTERS / "README.md").write_text("a shelf")
    (root / "subjects.yaml").write_text("subject_base: weights/backbone\nsubjects: {}\n")
    code = {path for node in (*nodes().values(), subject()) for path in node.code}
    for path in sorted(code | {"mm_model/settings/sections.py"}):
        stub = root / path.replace("mm_model/", "source/", 1)
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("# version 1\n")
    with (root / ".gitignore").open("a") as ignored:
        ignored.write(
            "\n/executions.txt\n/told.txt\n/experiments.txt\n/sleeping-*\n/killed-*\n/figures.json\n/library/\n"
        )
    _git(root, "init", "-q")
    _git(root, "add", "-A")
    _git(root, "commit", "-qm", "toy")


@pytest.fixture(scope="session", autouse=True)
def _importable() -> Iterator[None]:
    """Let the toy stages import this repository's library from anywhere."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), before]))
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy tree in which nothing ran yet; copy it, never run in it."""
    root = tmp_path_factory.mktemp("planted") / "tree"
    plant(root)
    return root


@pytest.fixture(scope="session")
def grown(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy tree after one plain `dvc repro`; copy it, never run in it."""
    root = tmp_path_factory.mktemp("grown") / "tree"
    shutil.copytree(planted, root, symlinks=True)
    Tree(root).dvc("repro")
    (root / "executions.txt").unlink()
    return root


@pytest.fixture
def fresh(planted: Path, tmp_path: Path) -> Tree:
    """A tree of one's own in which nothing ran yet."""
    return Tree(Path(shutil.copytree(planted, tmp_path / "tree", symlinks=True)))


@pytest.fixture
def done(grown: Path, tmp_path: Path) -> Tree:
    """A tree of one's own in which a plain `dvc repro` did everything."""
    return Tree(Path(shutil.copytree(grown, tmp_path / "tree", symlinks=True)))
