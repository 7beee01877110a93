"""All looks of the library, in the order in which somebody reads them."""

from functools import partial
from pathlib import Path

from mm_model.doctor import machine, services, tree
from mm_model.doctor.diagnosis import Look


def of_tree(root: Path) -> list[tuple[str, Look]]:
    """Each look by its subject."""
    return [
        ("Python", machine.python),
        ("packages", partial(machine.packages, root)),
        ("processor", machine.processor),
        ("disk", partial(machine.disk, root)),
        ("settings", partial(tree.settings, root)),
        ("inputs", partial(tree.inputs, root)),
        ("lock", partial(tree.at_work, root)),
        ("stages", partial(tree.outputs, root)),
        ("champion", partial(services.registry, root)),
        ("MLflow", partial(services.spool, root)),
        ("servers", services.servers),
    ]
