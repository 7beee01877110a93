"""The house rules that no single module can keep: imports, packaging, names."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from mm_model.run import stages

FORBIDDEN = {
    "mm_model": {"dagster", "dagster_pipes", "dvc", "assets", "orchestration"},
    "assets": {"orchestration", "dvc"},
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_imports_run_one_way(root: Path, package: str) -> None:
    for path in (root / package).rglob("*.py"):
        tops = {name.split(".")[0] for name in _imports(path)}
        assert not tops & FORBIDDEN[package], path


def test_a_stage_imports_no_other_stage(root: Path) -> None:
    names = set(stages.NAMES)
    for name in names:
        path = root / "mm_model" / stages.file_of(name)
        others = {f"mm_model.{stages.file_of(n)[:-3].replace('/', '.')}" for n in names - {name}}
        assert not _imports(path) & others, path


def test_only_tracking_registry_and_serving_import_mlflow(root: Path) -> None:
    allowed = {"register", "serving", "tracking"}
    for path in (root / "mm_model").rglob("*.py"):
        if any(name.split(".")[0] == "mlflow" for name in _imports(path)):
            assert path.relative_to(root / "mm_model").parts[0] in allowed, path


def test_mlflow_folder_holds_no_python(root: Path) -> None:
    assert not list((root / "mlflow").rglob("*.py"))


def test_names_resolve_to_the_right_packages(root: Path) -> None:
    code = (
        "import mlflow, assets, mm_model, orchestration;"
        "print(mlflow.__file__, assets.__file__, mm_model.__file__, sep='\\n')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "site-packages" in said[0]
    assert said[1] == str(root / "assets" / "__init__.py")
    assert said[2] == str(root / "mm_model" / "__init__.py")


def test_wheel_holds_the_library_alone(root: Path, tmp_path: Path) -> None:
    import shutil
    import zipfile

    source = tmp_path / "source"  # a folder `build` left in the tree would be packed too
    shutil.copytree(root / "mm_model", source / "mm_model")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    subprocess.run(
        [
            *[sys.executable, *"-m pip wheel --quiet --no-deps --no-build-isolation".split()],
            *["--wheel-dir", str(tmp_path), str(source)],
        ],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mm_model"}
    assert any(name.startswith("mm_model/embedded/people/") for name in names)
    assert not [name for name in names if name.startswith("mm_model/embedded/training")]


def test_pyproject_leaves_the_workspace_file_in_charge(root: Path) -> None:
    import tomllib

    tool = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    assert not {"dagster", "dg"} & set(tool)


def test_the_parsers_of_dagster_and_dvc_agree_on_antlr() -> None:
    import importlib.metadata as metadata

    from packaging.version import Version

    assert Version(metadata.version("antlr4-python3-runtime")) >= Version("4.13")


def test_only_the_seed_range_of_weights_people_trained_the_shipped_weights(root: Path) -> None:
    import json

    from mm_model.embedded.people import split

    held_out = set(split.HELD_OUT_PEOPLE) | set(split.TRAIN_PEOPLE)
    for path in (root / "weights" / "tiny").rglob("manifest.json"):
        said = json.loads(path.read_text())
        people = said["people"]
        if "start" in people:
            people = {"all": [people["start"], people["stop"]]}
        trained = {name: bounds for name, bounds in people.items() if name != "measured"}
        assert trained, path
        for name, bounds in trained.items():
            assert not set(range(*bounds)) & held_out, (path, name)


def test_every_module_says_what_it_holds(root: Path) -> None:
    for package in ("mm_model", "assets", "orchestration", "benchmarks"):
        for path in (root / package).rglob("*.py"):
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_file_grows_past_what_one_can_hold_in_the_head(root: Path) -> None:
    for package in ("mm_model", "assets", "orchestration", "benchmarks", "tests"):
        for path in (root / package).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 400, path


def test_a_stage_s_own_file_reads_as_a_table_of_contents(root: Path) -> None:
    """What it takes, what it gives, its steps by name; the steps themselves lie beside it."""
    files = {*(root / "mm_model").glob("*/stage.py")}
    for path in files | {root / "mm_model" / stages.file_of(name) for name in stages.NAMES}:
        assert len(path.read_text().splitlines()) <= 120, path
    for name in stages.NAMES:
        said = ast.get_docstring(ast.parse((root / "mm_model" / stages.file_of(name)).read_text()))
        assert said and "\ntakes  " in said and "\ngives  " in said, name


def test_the_pipeline_is_the_package_s_own_and_loads_when_asked_for(root: Path) -> None:
    code = (
        "import sys, mm_model;"
        "assert 'MagicMirrorPipeline' in dir(mm_model);"
        "assert not {'torch', 'diffusers'} & {*sys.modules};"
        "from mm_model import MagicMirrorPipeline;"
        "from mm_model.generation.pipeline import MagicMirrorPipeline as same;"
        "assert MagicMirrorPipeline is same and not hasattr(mm_model, 'Pipeline')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_a_stage_does_not_depend_on_the_pipeline_that_the_package_offers() -> None:
    from mm_model.run import made_by

    assert "mm_model/generation/pipeline.py" not in made_by.record("ingest")


OURS = ("mm_model", "assets", "orchestration", "benchmarks")


def test_a_class_has_a_name_of_its_own(root: Path) -> None:
    """A name that stands for two things must be looked up each time it is read."""
    where: dict[str, list[str]] = defaultdict(list)
    for path in (root / "mm_model").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(str(path.relative_to(root)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_a_registry_is_mlflow_s_and_the_judge_a_recogniser(root: Path) -> None:
    for package in (*OURS, "tests"):
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    called = {alias.asname for alias in node.names}
                    own = (getattr(node, "module", None) or "").split(".")[0] in OURS
                    assert not (own and called & {"registry", "judge"}), (path, node.lineno)


def _head(node: ast.expr) -> str:
    """The first name of a dotted one, "" where it is no name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _foreign(tree: ast.Module) -> set[str]:
    """Names that a module takes from libraries."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.asname or alias.name.split(".")[0] for alias in node.names]
            found |= {
                n
                for n, a in zip(names, node.names, strict=True)
                if a.name.split(".")[0] not in OURS
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in OURS:
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _long_calls(tree: ast.Module, defined: set[str]) -> list[int]:
    """Lines of calls of `defined` names with more than five arguments that no name goes with."""
    foreign = _foreign(tree)
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and len(node.args) > 5
        and ast.unparse(node.func).rpartition(".")[2] in defined
        and _head(node.func) not in foreign
    ]


def _any_number(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.args.vararg is not None


def test_a_call_of_ours_with_more_than_five_arguments_names_them(root: Path) -> None:
    paths = [path for package in OURS for path in (root / package).rglob("*.py")]
    trees = {path: ast.parse(path.read_text()) for path in paths}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, kinds)]
    defined = {node.name for node in nodes} - {node.name for node in nodes if _any_number(node)}
    found = {path: lines for path, tree in trees.items() if (lines := _long_calls(tree, defined))}
    assert not found


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("def f(a, b): ...\nf(1, 2, 3, 4, 5, 6)", [2]),
        ("from mm_model.x import f\nf(1, 2, 3, 4, 5, last=6)", []),
        ("import cv2\ncv2.f(1, 2, 3, 4, 5, 6)", []),
        ("self.thing.f(1, 2, 3, 4, 5, 6)", [1]),
        ("g(1, 2, 3, 4, 5, 6)", []),
    ],
)
def test_long_calls_are_told_from_those_of_libraries(code: str, lines: list[int]) -> None:
    assert _long_calls(ast.parse(code), {"f"}) == lines


def test_what_is_handed_on_has_a_name_of_its_own(root: Path) -> None:
    """A dictionary of anything says nothing; a row, a document and keywords are said once each."""
    texts = [path.read_text() for path in (root / "mm_model").rglob("*.py")]
    assert sum(text.count("dict[str, Any]") for text in texts) <= 15


def test_no_function_grows_past_a_screen(root: Path) -> None:
    """Counted from the first line of its body: a signature is a list, and reads as one."""
    for package in ("mm_model", "assets", "orchestration", "benchmarks", "tests"):
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                    assert lines <= 50, (path, node.name)


def test_code_is_laid_out_by_the_formatter(root: Path) -> None:
    """But for a few lists of words, which read better as they were written."""
    marks = 0
    for package in ("mm_model", "assets", "orchestration", "benchmarks", "tests"):
        for path in (root / package).rglob("*.py"):
            marks += len(re.findall(r"# fmt: (?:skip|off)", path.read_text(), re.MULTILINE))
    assert marks <= 20
