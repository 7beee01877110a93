"""A summary with every field that several judges, twins, deciding goals and a candidate bring."""

import copy
from typing import Any

PEOPLE = 21
_VARIANTS = ("true", "vae", "base", "pretrain", "finetune", "training")
_HITS = {
    "tiny": (21, 21, 4, 9, 8, 13),
    "real": (21, 17, 1, 3.5, 3, 5),
    "colour": (15, 14, 2, 9, 8, 11),
}
_TWINS = {"tiny": (20, 18, 4, 9, 8), "real": (19, 16, 4, 7, 6.5), "colour": (4, 4, 4, 4, 4)}
SENTENCE = "Training on clips lowers identity by 0.029 (95% interval 0.012 to 0.046)."


def newer(summary: dict[str, Any]) -> dict[str, Any]:
    """`summary` as an evaluation by an outsider, a control and the house judge writes it."""
    said = copy.deepcopy(summary)
    said["judges"] = {
        "colour": {"kind": "control", "title": "colour of skin and hair", "pack": {}},
        "tiny": {"kind": "house", "title": "house judge", "pack": {}},
        "real": {"kind": "outsider", "title": "InsightFace format, w600k_r50", "pack": {}},
    }
    said["headline"], said["candidate"] = "real", "pretrain"
    said["stages"] = {
        "identity": {"value": -0.029, "low": -0.046, "high": -0.012},
        "sentence": SENTENCE,
    }
    said["named"] = {
        judge: {
            variant: {"hits": n, "people": PEOPLE, "low": n / 30, "high": min(1, n / 15)}
            for variant, n in zip(_VARIANTS, hits, strict=True)
        }
        for judge, hits in _HITS.items()
    }
    said["twins"] = {
        judge: {
            variant: {"hits": n, "people": PEOPLE, "chance": PEOPLE / 5}
            for variant, n in zip(_VARIANTS[:-1], hits, strict=True)
        }
        for judge, hits in _TWINS.items()
    }
    identity = {"value": 0.21, "low": 0.15, "high": 0.27, "people": PEOPLE}
    found = {"value": 0.97, "low": 0.94, "high": 1.0, "people": PEOPLE}
    said["by_judge"] = {
        judge: {
            "true_clip": {"identity": {**identity, "value": 0.66}, "ceiling": None},
            "pretrain": {"identity": identity, "ceiling": 38.2, "face_found": found},
            "pretrain_step_140": {"identity": identity, "ceiling": 20.0},
        }
        for judge in ("tiny", "real")
    }
    goal = {"least": 0.4, "most": None, "decides": True}
    told = {"name": "turn", "title": "heads turn as in the true clips", "value": 0.5, "least": 0.6}
    said["goals"] = [
        {**goal, "name": "translation_floor", "title": "moves", "value": 0.38, "passed": False},
        {**goal, "name": "face_found_floor", "title": "a face", "value": 0.97, "passed": True},
        {**goal, "name": "forwards_floor", "title": "forwards", "value": None, "passed": None},
        {**told, "most": None, "decides": False, "passed": False},
    ]
    said["gain"]["candidate_over_base"] = {"value": 0.14, "low": 0.09, "high": 0.19}
    for variant, share in (("true_clip", 0.88), ("pretrain", 0.12)):
        mean = {"value": share, "low": share - 0.1, "high": share + 0.1, "people": PEOPLE}
        said["variants"][variant]["obeyed"] = mean
    return said
