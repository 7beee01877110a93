"""Why a request may be refused: a closed list of codes, each with one sentence for the sender.

A refusal never quotes what was sent: a field's value may be a picture of a person.
"""

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
    BUSY = "busy"


class Refusal(UserError):
    """A request that is not served. `code` is for programs, the message for people."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
