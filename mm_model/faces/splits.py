"""Each kept sample gets its identity and its split; a leak between the two sides is rejected."""

import numpy as np

from mm_model.faces import identity as people
from mm_model.faces.kept import Kept
from mm_model.records import Reason, Status
from mm_model.run.stage import Job


def labels(job: Job, kept: Kept, means: np.ndarray) -> np.ndarray:
    """Identity labels, int64 [N]; in `folders` mode a file without a folder stands alone."""
    rules = job.profile.faces
    if rules.identity == "clusters":
        return people.clusters(means, rules.cluster_above)
    return people.first_appearance(
        sample["subject"] or f"/{sample['sample_id']}" for sample, _ in kept
    )


def assign(job: Job, kept: Kept, labels: np.ndarray) -> None:
    """Give each row `identity` and `split`; reject those that lie among people of the other side.

    What an identity's split is, the majority of its samples says where the source prescribes one
    (a tie is held out); see `split_identities` for the rest.
    """
    groups = [places for _, places in people.by_label(labels)]
    firsts = [kept[places[0]][0]["sample_id"] for places in groups]
    drawn = all(sample["synthetic"] for sample, _ in kept)
    members = dict(zip(people.names(firsts, grows=not drawn), groups, strict=True))
    given = {
        name: people.majority_split([kept[place][0]["split"] for place in places])
        for name, places in members.items()
    }
    by_folder = job.profile.faces.identity == "folders"
    keys = {
        name: (by_folder and kept[places[0]][0]["subject"]) or kept[places[0]][0]["sample_id"]
        for name, places in members.items()
    }
    split = people.split_identities(
        given, keys, job.profile.faces.held_out_share, job.profile.run.seed
    )
    for name, places in members.items():
        group = [kept[place] for place in places]
        strangers = [row for sample, row in group if sample["split"] not in (None, split[name])]
        for _, row in group:
            row.update({"identity": name, "split": split[name]})
        for row in strangers:
            row.update(
                {
                    "status": str(Status.REJECTED),
                    "reason": str(Reason.LEAK_TEST_IDENTITY),
                    "reason_value": 1 - len(strangers) / len(group),
                    "reason_threshold": 0.5,
                    "message": f"its source says another split, but {name} is {split[name]} by "
                    f"{len(group) - len(strangers)} of {len(group)} samples",
                }
            )
