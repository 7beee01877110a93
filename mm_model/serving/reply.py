"""What the door answers with: a clip as MLflow's application made it, or a refusal in our form."""

import dataclasses
import json
import logging
from http import HTTPStatus

from mm_model.serving.refusal import DEFECT, DEFECT_SENTENCE

_LOG = logging.getLogger(__name__)
_ERROR_NAMES = {  # MLflow's names for these statuses
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "ENDPOINT_NOT_FOUND",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
}


@dataclasses.dataclass(frozen=True)
class Reply:
    """`said`: the code of a refusal; None with a clip."""

    status: int
    content: bytes
    said: str | None
    headers: list[tuple[bytes, bytes]] = dataclasses.field(default_factory=list)


def refused(status: HTTPStatus, code: str, sentence: str) -> Reply:
    """A refusal: its status, its code and its one sentence."""
    return Reply(status, in_our_form(status, code, sentence), code)


def in_our_form(status: HTTPStatus, code: str, sentence: str) -> bytes:
    """The JSON of a refusal: MLflow's name of the status, one sentence, our code."""
    name = _ERROR_NAMES.get(status, "BAD_REQUEST")
    return json.dumps({"error_code": name, "message": sentence, "refusal": code}).encode()


def defect() -> Reply:
    """The reply after a fault of ours; it says nothing of what the fault was."""
    return refused(HTTPStatus.INTERNAL_SERVER_ERROR, DEFECT, DEFECT_SENTENCE)


def passed_on(status: int, content: bytes) -> Reply:
    """What MLflow's application answered: a clip as it is, all else in our form."""
    if status == HTTPStatus.OK:
        return Reply(status, content, None)
    try:
        said = json.loads(content)
        return refused(HTTPStatus(status), said["refusal"], said["message"])
    except (ValueError, TypeError, LookupError):
        _LOG.error("defect: MLflow's application answered with status %d", status)
        return defect()
