"""The words of a consent stand in the user's own files and the file of consents, nowhere else."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mm_model.errors import UserError
from mm_model.inputs import use_folder
from mm_model.report import catalogue
from mm_model.run import runner
from mm_model.settings import load_params, load_profile
from mm_model.store import consents, tables
from mm_model.store.consents import stated
from mm_model.store.layout import Layout
from tests.stages.conftest import edit_profile, use_input, use_sources

pytestmark = pytest.mark.capability("consent", scale="T")

NAME = "Ada Quixby"
WORDS = f"{NAME} of 1 Dorset Street signed on paper"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Two photographs of somebody."""
    folder = tmp_path / "media"
    folder.mkdir()
    for seed in (1, 2):
        pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((128, 128)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture(autouse=True)
def own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(consents.VARIABLE, raising=False)


def where(root: Path, text: str) -> set[str]:
    """The files below `root` that hold `text`, as plain bytes or as rows of a table."""
    found = set()
    for path in root.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        with contextlib.suppress(Exception):
            if path.suffix == ".parquet":
                content += json.dumps(tables.records(path), default=str).encode()
        if text.encode() in content:
            found.add(path.relative_to(root).as_posix())
    return found


def rows_of(root: Path) -> list[dict]:
    layout = Layout(root, load_params(root).profile)
    tables_of = (("sources", "inventory.parquet"), ("ingest", "samples.parquet"))
    return [row for stage, file in tables_of for row in tables.records(layout.output(stage) / file)]


def test_no_output_holds_the_words(
    small_root: Path, media: Path, capsys: pytest.CaptureFixture
) -> None:
    """Tables, manifests, tracking, catalogue, report page, profile and what is printed."""
    params = load_params(small_root)
    use_folder(small_root, str(media), params.facepack, WORDS, "tiny")
    use_input(small_root, "backbone", params.backbone)
    for stage in ("sources", "ingest"):
        runner.run(stage, small_root)
    catalogue.rebuild(Layout(small_root, "local"))
    assert where(small_root, NAME) == {"work/likeness/consents.jsonl"}
    said = capsys.readouterr()
    assert NAME not in said.out + said.err
    (line,) = map(json.loads, consents.path_below(small_root).read_text().splitlines())
    assert {(row["consent"], row["consent_digest"]) for row in rows_of(small_root)} == {
        (line["id"], line["digest"])
    }
    assert where(small_root, line["id"]) >= {"work/local/catalogue.db", "mlflow.db"}


def test_no_table_holds_the_words_of_a_record_in_the_folder(
    small_root: Path, media: Path, run_stage: Callable
) -> None:
    record = {"basis": WORDS, "adults": True, "files": ["1.png"]}
    (media / "consent.yaml").write_text(yaml.safe_dump(record))
    use_sources(small_root, media)
    for stage in ("sources", "ingest"):
        run_stage(small_root, stage)
    assert where(small_root, NAME) == {"work/likeness/consents.jsonl"}
    assert {row["consent"] for row in rows_of(small_root)} == {stated(WORDS).id, None}


def test_words_in_a_profile_are_refused_with_the_way_out(small_root: Path) -> None:
    edit_profile(small_root, **{"sources.consent": WORDS})
    with pytest.raises(UserError, match=r"sources\.consent.*<basis>:<evidence>") as refused:
        load_profile(small_root, "tiny")
    assert NAME not in str(refused.value) and "\n" not in str(refused.value)


def test_an_id_whose_words_are_gone_covers_nothing(
    small_root: Path, media: Path, run_stage: Callable
) -> None:
    use_sources(small_root, media)
    edit_profile(small_root, **{"sources.consent": stated(WORDS).id})
    with pytest.raises(UserError, match=r"consents\.jsonl: give them again"):
        run_stage(small_root, "sources")
    consents.record(consents.path_below(small_root), stated(WORDS))
    run_stage(small_root, "sources")
    rows = tables.records(small_root / "data/tiny/sources/inventory.parquet")
    assert {row["consent_digest"] for row in rows} == {stated(WORDS).digest}


def test_a_consent_that_cannot_be_recorded_stops_before_the_folder(
    small_root: Path, media: Path
) -> None:
    (small_root / "work").mkdir()
    (small_root / "work" / "likeness").write_text("a file where the folder belongs")
    pack = load_params(small_root).facepack
    with pytest.raises(UserError, match="cannot be recorded") as refused:
        use_folder(small_root, str(media), pack, WORDS, "tiny")
    assert NAME not in str(refused.value)
    assert not (small_root / "profiles" / "local.yaml").exists()
