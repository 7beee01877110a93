"""The script MLflow runs to build the served model (models from code: nothing is pickled).

It only joins MLflow's interface to `mm_model.serving.mirror`; refusals leave it as one clean
sentence with HTTP 400, defects as one with HTTP 500, neither with a trace or a path.
"""

import json
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR, RESOURCE_EXHAUSTED
from mlflow.pyfunc import PythonModel

from mm_model.environment import bound_threads, keep_freed_memory, silence_telemetry
from mm_model.serving.refusal import Code, Refusal
from mm_model.serving.tidy import leave_no_byte_code

_LOG = logging.getLogger("mm_model.serving")


class _Reply(MlflowException):
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

        self._mirror = mirror.load(context.artifacts, context.model_config)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """One record in (data frame, list or mapping: MLflow hands over what was sent), a list of
        one reply out. From the hint `DataFrame` MLflow derives no signature."""
        try:
            if params:
                raise Refusal(
                    Code.UNKNOWN_FIELD, "params are not used: put every field into the record."
                )
            return [self._mirror.answer(model_input)]
        except Refusal as refusal:
            status = RESOURCE_EXHAUSTED if refusal.code == Code.BUSY else BAD_REQUEST
            reply = _Reply(refusal.sentence, status, refusal.code.value)
        except Exception as error:
            # Where it happened, but not the message: that may quote the request.
            where = "".join(traceback.format_tb(sys.exc_info()[2]))
            _LOG.error("defect: %s\n%s", type(error).__name__, where)
            reply = _Reply(
                "The model failed on this request; the server's log says where.",
                INTERNAL_ERROR,
                "defect",
            )
        raise reply from None


set_model(MagicMirrorServed())
