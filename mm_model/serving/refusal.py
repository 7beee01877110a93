"""Why a request may be refused: a closed list of codes, each with one sentence for the sender.

A refusal never quotes what was sent: a field's value may be a picture of a person.
"""

import logging
import traceback
from enum import StrEnum

from mm_model.errors import UserError


class Code(StrEnum):
    """The closed list; `mlflow/README.md` shows it with the sentences."""

    NOT_ONE_RECORD = "not_one_record"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NO_CONSENT = "no_consent"
    CONSENT_FORM = "consent_form"
    CONSENT_UNRECORDED = "consent_unrecorded"
    PROMPT_EMPTY = "prompt_empty"
    PROMPT_TOO_LONG = "prompt_too_long"
    PROMPT_CHARACTERS = "prompt_characters"
    PROMPT_SUBJECT = "prompt_subject"
    PROMPT_NUDITY = "prompt_nudity"
    PROMPT_CHILD = "prompt_child"
    REFERENCE_COUNT = "reference_count"
    NOT_BASE64 = "not_base64"
    PICTURE_TOO_LARGE = "picture_too_large"
    NOT_A_PICTURE = "not_a_picture"
    NO_FACE = "no_face"
    MANY_FACES = "many_faces"
    FRAME_COUNT = "frame_count"
    STEPS = "steps"
    GUIDANCE = "guidance"
    SIZE = "size"
    SEED = "seed"
    NUMBER = "number"
    BUSY = "busy"
    STOPPING = "stopping"
    NOT_JSON = "not_json"
    CONTENT_TYPE = "content_type"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    HOST = "host"
    NOT_FOUND = "not_found"
    METHOD = "method"
    CHUNKS = "chunks"
    BAD_HTTP = "bad_http"
    HEAD_TOO_LARGE = "head_too_large"


class Refusal(UserError):
    """A request that is not served. `code` is for programs, the message for people."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


DEFECT = "defect"
"""The code of a reply to a request on which we failed ourselves."""

DEFECT_SENTENCE = "The model failed on this request; the server's log says where."


def stopping() -> Refusal:
    """The refusal of what was still waiting or at work when the server was told to end."""
    return Refusal(Code.STOPPING, "The server is stopping: send the request again to the next one.")


def log_defect(log: logging.Logger, error: BaseException) -> None:
    """Write where an error happened, but not its message: that may quote the request."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("defect: %s\n%s", type(error).__name__, where)
