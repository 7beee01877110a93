"""The peer's side of benchmark `peer`: py-data-juicer on a recipe, in an environment of its own.

Run as `PEER_PYTHON benchmarks/peer_side.py RECIPE.yaml`; it imports nothing of this repository.
Its perceptual hash comes from imagededup, which wants torch for another method of its own: without
torch, empty modules stand in the place of those that would import it.
"""

import importlib
import importlib.util
import sys
import types

_OF_TORCH = {
    "imagededup.methods.cnn": "CNN",
    "imagededup.utils.models": "CustomModel",
    "imagededup.utils.data_generator": "img_dataloader",
}

if importlib.util.find_spec("torch") is None:
    for module, name in _OF_TORCH.items():
        empty = types.ModuleType(module)
        setattr(empty, name, None)
        sys.modules[module] = empty

if __name__ == "__main__":
    config = importlib.import_module("data_juicer.config")
    executor = importlib.import_module("data_juicer.core.executor.default_executor")
    executor.DefaultExecutor(config.init_configs(["--config", sys.argv[1]])).run()
    # Its workers' time is counted once somebody waits for the process that forked them.
    importlib.import_module("multiprocess.forkserver")._forkserver._stop()
