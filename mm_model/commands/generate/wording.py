"""A refusal in the words of the command line: options instead of a record's fields.

A server's sentence speaks of fields, and of who runs it; somebody at a terminal knows neither.
"""

import re

from mm_model.serving import fields
from mm_model.serving.refusal import Code, Refusal

_SAME = (
    "prompt",
    "consent",
    *(one.name for one in fields.FIELDS if one.name == one.option),
)
"""Fields whose options are called like them: a plain word, which a sentence begins with."""
_OPTIONS = {
    **{
        " and ".join(one.name for one in together): f"--{option}"
        for option, together in fields.by_option().items()
        if option not in _SAME
    },
    "reference_images must hold": "--ref may name",
    "reference_images": "--ref",
}
_FIELD = re.compile("|".join(map(re.escape, _OPTIONS)))
_FIRST = re.compile(rf"^({'|'.join(_SAME)})\b")
_SEND = re.compile(r"\bsend\b")
_UNRECORDED = (
    "so the request is not served: tell who runs this server, and try again later",
    "so the clip is not made: mend that and run again",
)


def of(refusal: Refusal) -> Refusal:
    """The same refusal, said to who gave options."""
    said = _FIELD.sub(lambda found: _OPTIONS[found[0]], refusal.sentence)
    said = _FIRST.sub(r"--\1", said)
    if refusal.code is Code.CONSENT_UNRECORDED:
        said = said.replace(*_UNRECORDED)
    return Refusal(refusal.code, _SEND.sub("give", said))
