"""The table of metrics: one more metric reaches columns, means, page, audit and documentation."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mm_model.errors import AuditError
from mm_model.evaluate import cells as written
from mm_model.evaluate import judged, study
from mm_model.evaluate import stage as evaluate
from mm_model.metrics import goals, page, table
from mm_model.metrics.port import (
    Column,
    Context,
    Evidence,
    Evident,
    Formula,
    Gallery,
    Metric,
    Opened,
    Unavailable,
    Values,
    needing,
)
from mm_model.quality import audit
from mm_model.records import JUDGED_MEASURES
from mm_model.report import ladder as verdicts
from mm_model.report import parts
from mm_model.settings import Profile, load_profile

CONTEXT = Context(pack=SimpleNamespace(), judge=SimpleNamespace(), device="cpu")
TURNED, NODS = (
    Column(
        name="turned",
        meaning="how far the head turns",
        unit="degrees",
        better="higher",
        mean="turning",
        heading="turned",
        least=0,
        most=180,
    ),
    Column(name="nods", meaning="how often it nods", convention="a nod is 5 degrees"),
)


@dataclass
class Turning:
    """A learned metric of two columns that counts how often it was loaded."""

    name: str = "turning"
    needs: frozenset[Evident] = needing(Evident.FRAMES)
    columns: tuple[Column, ...] = (TURNED, NODS)
    proxy: bool = False
    weights: str | None = "abc"
    says: Values = field(default_factory=lambda: {"turned": 30.0, "nods": 2})
    missing: str | None = None
    loaded: int = 0

    def open(self, context: Context) -> Opened:
        if self.missing:
            raise Unavailable(self.missing)
        self.loaded += 1
        return self

    def measure(self, seen: Evidence) -> Values:
        return self.says


def _stand_in() -> Formula:
    column = Column(name="proxy_blur", meaning="a guess", mean="proxy_blur", heading="blur")
    return Formula(
        name="proxy_blur",
        needs=needing(Evident.FRAMES),
        columns=(column,),
        of=lambda seen: (0.25,),
        proxy=True,
    )


def _add(monkeypatch: pytest.MonkeyPatch, *metrics: Metric) -> None:
    """The table with further metrics."""
    table.check((*table.METRICS, *metrics))
    monkeypatch.setattr(table, "METRICS", (*table.METRICS, *metrics))


def evidence(**change: Any) -> Evidence:
    """A clip of four frames with a face at rest in all but one, judged as the first of two."""
    one, other = np.eye(2)
    box, marks = np.array([10.0, 10, 30, 40]), np.arange(10.0).reshape(5, 2) + 12
    said: dict[str, Any] = {
        "frames": np.zeros((4, 50, 100, 3), np.uint8),
        "fps": 8,
        "size": (50, 100),
        "boxes": np.stack([box] * 3 + [np.full(4, np.nan)]),
        "landmarks": np.stack([marks] * 3 + [np.full((5, 2), np.nan)]),
        "counts": np.array([1, 1, 2, 0]),
        "embeddings": np.stack([one] * 3 + [np.full(2, np.nan)]),
        "gallery": Gallery(
            shown=one[None], withheld=one[None], landmarks=marks[None], boxes=box[None]
        ),
        "everybody": np.stack([one, other]),
        "own": 0,
        "prompt": "a man smiles",
    }
    return Evidence(**said | change)


def _cells(instruments: table.Instruments) -> list[written.Cell]:
    return [
        written.Cell(
            cell_id=f"{variant}/{person}/1",
            variant=variant,
            identity=person,
            prompt="a man smiles",
            seed=1,
            video="",
            values=instruments.measure(evidence()),
            judged={"tiny": dict.fromkeys(JUDGED_MEASURES, 0.5)},
        )
        for variant in ("base", "pretrain", "finetune")
        for person in ("id-1", "id-2")
    ]


@pytest.fixture
def profile(root: Path) -> Profile:
    found = load_profile(root, "tiny")
    few = found.evaluate.model_copy(update={"row_floor": 1})
    return found.model_copy(update={"evaluate": few})


@pytest.fixture
def left(tmp_path: Path, profile: Profile) -> Any:
    """Writes what a study leaves, from the table as it is, and gives the folder."""

    def write() -> Path:
        instruments = table.opened(CONTEXT)
        cells = _cells(instruments)
        written.write(tmp_path / "cells.parquet", cells)
        judged.write(tmp_path / "judged.parquet", cells)
        summary = study.summarise(cells)[0] | instruments.told()
        (tmp_path / "metrics.json").write_text(json.dumps(summary, allow_nan=False))
        people = {"picture": ["p"], "identity": "id-1", "split": "held_out", "role": "shown"}
        pd.DataFrame(people).to_parquet(tmp_path / "people.parquet")
        return tmp_path

    return write


def _said(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def test_the_page_is_what_the_table_says(root: Path) -> None:
    said = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert said == page.text(), "python -m mm_model.metrics.page docs/metrics.md"


def test_a_copy_of_the_shown_picture_has_a_gap_above_zero() -> None:
    one, other = np.eye(2)
    known = evidence().gallery
    copied = Gallery(
        shown=one[None], withheld=other[None], landmarks=known.landmarks, boxes=known.boxes
    )
    found = table.opened(CONTEXT).measure(evidence(gallery=copied))
    assert found["copy_paste_gap"] == 1.0
    assert found["identity_similarity_penalised"] == 0.0
    assert found["identity_shown_penalised"] == 0.75


def test_no_interval_leaves_what_its_column_can_be() -> None:
    """Shares of a few people lie near an end; Student's interval would go beyond."""
    right = {"rank1": (1.0, 1.0, 0.9, 1.0, 1.0), "face_found_rate": (0.0, 0.0, 0.1, 0.0, 0.0)}
    cells = [
        written.Cell(
            cell_id=f"{variant}/{k}/1",
            variant=variant,
            identity=f"id-{k}",
            prompt="",
            seed=1,
            video="",
            values=dict.fromkeys((column.name for column in table.columns()), 0.5)
            | {name: values[k] for name, values in right.items()},
        )
        for variant in ("base", "pretrain", "finetune")
        for k in range(5)
    ]
    means = study.summarise(cells)[0]["variants"]["finetune"]
    assert means["rank1"]["high"] == 1 > means["rank1"]["low"] > 0
    assert means["face_found_rate"]["low"] == 0 < means["face_found_rate"]["high"] < 1


def test_one_more_metric_reaches_all_that_is_written(
    left: Any, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    turning = Turning()
    _add(monkeypatch, turning)
    folder = left()
    kinds = {name: str(kind) for name, kind in _schema(folder)}
    assert [kinds["turned"], kinds["nods"]] == ["double", "double"]
    cells = pd.read_parquet(folder / "cells.parquet")
    assert (cells["turned"] == 30).all() and (cells["nods"] == 2).all()
    said = _said(folder)
    mean = {"value": 30.0, "low": None, "high": None, "people": 2}
    assert said["variants"]["base"]["turning"] == mean
    assert said["per_person"]["finetune"]["turning"] == [30.0, 30.0]
    assert said["weights"] == {"turning": "abc"} and "unavailable" not in said
    assert turning.loaded == 1, "once a run, not once a clip"
    assert '<th scope="col">turned, degrees ↑</th>' in parts.numbers(SimpleNamespace(folder=folder))
    row = "| `turned` | how far the head turns | degrees | higher | `turning` | 0 to 180 |"
    assert f"{row} frames |" in page.text()
    audit.audit("evaluate", folder, profile, evaluate.STAGE.bounds())
    cells.assign(turned=200.0).to_parquet(folder / "cells.parquet")
    with pytest.raises(AuditError, match="turned"):
        audit.audit("evaluate", folder, profile, evaluate.STAGE.bounds())


def _schema(folder: Path) -> Any:
    schema = pq.read_schema(folder / "cells.parquet")
    return zip(schema.names, schema.types, strict=True)


def test_a_metric_that_cannot_be_had_is_null_everywhere_and_says_why(
    left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(monkeypatch, Turning(missing="its weights are not there"))
    folder = left()
    assert pd.read_parquet(folder / "cells.parquet")["turned"].isna().all()
    assert dict(_schema(folder))["turned"] == "double", "a column without a value keeps its type"
    said = _said(folder)
    nothing = {"value": None, "low": None, "high": None, "people": 0}
    assert said["variants"]["base"]["turning"] == nothing
    assert said["unavailable"] == {"turning": "its weights are not there"}
    assert "weights" not in said


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_null_and_never_0(
    monkeypatch: pytest.MonkeyPatch, value: float | None
) -> None:
    _add(monkeypatch, Turning(says={"turned": value}))
    found = table.opened(CONTEXT).measure(evidence())
    assert found["turned"] is None and found["nods"] is None


def test_without_learned_metrics_the_summary_says_nothing_of_weights(left: Any) -> None:
    assert not {"weights", "unavailable"} & set(_said(left()))


def test_a_proxy_stands_in_tables_of_its_own(left: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = page.text()
    folder = left()
    assert parts.numbers(SimpleNamespace(folder=folder)).count("<table>") == 1
    _add(monkeypatch, _stand_in())
    real, proxies = parts.numbers(SimpleNamespace(folder=left())).split("Proxies, which stand in")
    assert '<th scope="col">blur</th>' in proxies and "blur" not in real
    assert "FM_ref" in real and "FM_ref" not in proxies
    assert "proxy_blur" not in plain
    assert "proxy_blur" in page.text().split("## Proxies")[1]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(_stand_in(), proxy=False), "proxy"),
        (replace(_stand_in(), name="blur"), "proxy"),
        (Turning(columns=(replace(TURNED, mean="proxy_turning"),)), "proxy"),
        (Turning(columns=(replace(TURNED, name="fm_ref"),)), "fm_ref"),
        (Turning(columns=(replace(TURNED, mean="identity"),)), "identity"),
        (Turning(columns=(replace(TURNED, mean=None),)), "needs a mean"),
    ],
)
def test_what_may_not_stand_in_one_table_is_refused(wrong: Metric, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        table.check((*table.METRICS, wrong))


@pytest.mark.parametrize(("value", "passed"), [(0.9, True), (0.4, False), (None, None)])
def test_one_more_goal_reaches_summary_page_and_documentation(
    left: Any, monkeypatch: pytest.MonkeyPatch, value: float | None, passed: bool | None
) -> None:
    further = goals.Goal(name="turned_over_true", title="it turns", of=lambda _: value, least=0.5)
    monkeypatch.setattr(goals, "GOALS", (*goals.GOALS, further))
    folder = left()
    *_, said = _said(folder)["goals"]
    assert (said["name"], said["value"], said["passed"]) == ("turned_over_true", value, passed)
    assert '<th scope="row">it turns</th>' in verdicts.motion(SimpleNamespace(folder=folder))
    assert "| `turned_over_true` | it turns | at least 0.5 |  |" in page.text()


class _Told:
    """Evidence that notes what was read of it."""

    def __init__(self, seen: Evidence) -> None:
        self.seen, self.read = seen, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.seen, name)


@pytest.mark.parametrize("metric", table.METRICS, ids=lambda one: one.name)
def test_a_metric_reads_what_it_says_it_needs_and_nothing_else(metric: Metric) -> None:
    told: Any = _Told(evidence())
    values = metric.open(CONTEXT).measure(told)
    allowed = {field for need in metric.needs for field in need.fields}
    assert told.read <= allowed | {"size"}
    for need in metric.needs:
        assert told.read & set(need.fields), f"{need} is not needed"
    assert set(values) == {column.name for column in metric.columns}


def test_the_ladder_s_rank_alone_is_asked_of_people_of_the_training() -> None:
    found = table.opened(CONTEXT).only("rank").measure(evidence())
    assert {name for name, value in found.items() if value is not None} == {"rank1"}


def test_a_clip_without_a_face_has_no_motion_and_the_worst_identity() -> None:
    nobody = evidence(
        boxes=np.full((4, 4), np.nan),
        landmarks=np.full((4, 5, 2), np.nan),
        embeddings=np.full((4, 2), np.nan),
    )
    found = table.opened(CONTEXT).measure(nobody)
    for name in ("identity_similarity", "copy_paste_gap"):
        assert found[name] is None
    for name in (
        "fm_ref",
        "fm_inter",
        "fm_inter_p95",
        "translation",
        "turn",
        "expression",
        "trembling",
    ):
        assert found[name] is None
    assert (found["identity_similarity_penalised"], found["rank1"]) == (0.0, 0.0)
