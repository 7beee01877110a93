"""References of procedural people: the renderer draws the same person once more.

Serves only identities whose samples all carry the procedural mark; of anyone else it makes
nothing, since it depicts nobody real.
"""

import re

import numpy as np

from mm_model.pairs.synthesizer import Identity, SynthesisedPicture

_SUBJECT = re.compile(r"^person[_-](\d+)$")


class ProceduralSynthesizer:
    """A fresh photograph (new shot, new pose) of the person named by the subject."""

    name = "world"

    def make(self, identity: Identity, seed: int) -> SynthesisedPicture | None:
        """A photograph as large as the identity's own pictures, or None for anyone not drawn."""
        from mm_model.embedded.people.clips import photograph
        from mm_model.embedded.people.people import person

        match = _SUBJECT.match(identity.subject or "")
        if not identity.procedural or match is None or not identity.portraits:
            return None
        size = min(identity.portraits[0].width, identity.portraits[0].height)
        who = person(int(match.group(1)))
        return SynthesisedPicture(photograph(who, np.random.default_rng(seed), size).image, None)
