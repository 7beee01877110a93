"""Sends parameters, points and data to a run of MLflow in batches that it takes.

A store that answers and will answer the same again has *refused*; any other error may pass.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRICS_A_BATCH = 1000
_PARAMS_A_BATCH = 100
_REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST"}
_CONTEXT = "mlflow.data.context"


def refused(error: Exception) -> bool:
    """Whether the store answered and will answer the same again."""
    return getattr(error, "error_code", None) in _REFUSALS


@contextlib.contextmanager
def unless_refused() -> Iterator[None]:
    """What the store refuses inside the block is left out: a run deleted by hand, a value that
    stands there already."""
    try:
        yield
    except Exception as error:
        if not refused(error):
            raise


def send_params(client: "MlflowClient", run_id: str, values: Mapping[str, str]) -> None:
    """Parameters of a run, by name."""
    from mlflow.entities import Param

    params = [Param(name, value) for name, value in values.items()]
    for first in range(0, len(params), _PARAMS_A_BATCH):
        client.log_batch(run_id, params=params[first : first + _PARAMS_A_BATCH])


def send_tags(client: "MlflowClient", run_id: str, values: Mapping[str, str]) -> None:
    """Tags of a run, by name."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in values.items()])


def send_points(
    client: "MlflowClient", run_id: str, points: Iterable[tuple[int, int, Mapping[str, Any]]]
) -> None:
    """Numbers of a run: each point as (time in milliseconds, step, numbers by name)."""
    from mlflow.entities import Metric

    metrics = [
        Metric(name, float(value), time, step)
        for time, step, values in points
        for name, value in values.items()
    ]
    for first in range(0, len(metrics), METRICS_A_BATCH):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_A_BATCH])


def send_data(client: "MlflowClient", run_id: str, data: Iterable[Document]) -> None:
    """Inputs of a run, each a document of `mm_model.tracking.told.TrackedData`."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(
                one["name"],
                one["digest"],
                source_type="local",
                source=json.dumps(one["source"]),
                profile=json.dumps(one["profile"]),
            ),
            [
                InputTag(name, value)
                for name, value in {_CONTEXT: one["context"], **one["tags"]}.items()
                if value
            ],
        )
        for one in data
    ]
    if inputs:
        client.log_inputs(run_id, inputs)
