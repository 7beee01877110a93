"""The script MLflow runs to build the served model (models from code: nothing is pickled).

It only joins MLflow's interface to `mm_model.serving.mirror`; refusals leave it as one clean
sentence with HTTP 400, defects as one with HTTP 500, neither with a trace or a path.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    INTERNAL_ERROR,
    RESOURCE_EXHAUSTED,
    TEMPORARILY_UNAVAILABLE,
)
from mlflow.pyfunc.model import PythonModel

from mm_model.environment import bound_threads, keep_freed_memory, silence_telemetry
from mm_model.serving import visit as visits
from mm_model.serving.engine import Cancelled
from mm_model.serving.refusal import DEFECT, DEFECT_SENTENCE, Code, Refusal, log_defect, stopping
from mm_model.serving.tidy import leave_no_byte_code
from mm_model.store.atomic import Document

_STATUS = {Code.BUSY: RESOURCE_EXHAUSTED, Code.CONSENT_UNRECORDED: TEMPORARILY_UNAVAILABLE}
_LOG = logging.getLogger("mm_model.serving")


class _ErrorReply(MlflowException):
    """An error reply whose message stays what it is.

    The scoring server assigns `message` anew, with the whole request in front; that is ignored.
    """

    def __init__(self, sentence: str, status: int, code: str) -> None:
        self._sentence = sentence
        self._code = code
        super().__init__(sentence, error_code=status)

    @property
    def message(self) -> str:
        return self._sentence

    @message.setter
    def message(self, _: str) -> None:
        pass

    def serialize_as_json(self) -> str:
        return json.dumps(
            {"error_code": self.error_code, "message": self._sentence, "refusal": self._code}
        )


class MagicMirrorServed(PythonModel):
    """MLflow's face of `Mirror`. It declares no signature: MLflow would drop unknown fields and
    quote the request in its errors before our own checks are reached."""

    def load_context(self, context: Any) -> None:
        """Load the weights named by the model's artifacts; digests are checked first."""
        leave_no_byte_code(Path(__file__).parent)
        silence_telemetry()
        keep_freed_memory()
        bound_threads(int(context.model_config["threads"]))
        from mm_model.serving import mirror

        self.mirror = mirror.load(context.artifacts, context.model_config)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: Document | None = None
    ) -> list[Document]:
        """One record in (data frame, list or mapping: MLflow hands over what was sent), a list of
        one reply out. From the hint `DataFrame` MLflow derives no signature. Behind the door the
        record is that of the visit, read and looked at already."""
        visit = visits.current.get()
        try:
            if visit is not None:
                return [self.mirror.show(visit.request, visit.references, visit.on_step)]
            if params:
                raise Refusal(
                    Code.UNKNOWN_FIELD, "params are not used: put every field into the record."
                )
            return [self.mirror.answer(model_input)]
        except Refusal as refusal:
            status = _STATUS.get(refusal.code, BAD_REQUEST)
            reply = _ErrorReply(refusal.sentence, status, refusal.code.value)
        except Cancelled:
            gone = stopping()
            reply = _ErrorReply(gone.sentence, TEMPORARILY_UNAVAILABLE, gone.code.value)
        except Exception as error:
            log_defect(_LOG, error)
            reply = _ErrorReply(DEFECT_SENTENCE, INTERNAL_ERROR, DEFECT)
        raise reply from None


set_model(MagicMirrorServed())
