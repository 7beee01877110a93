"""The other side of `streaming`: the shards of a folder once more, through litdata.

Run by a Python that has litdata and this tree's torch; it prints one line of JSON.
"""

import hashlib
import importlib
import json
import sys
import tarfile
import time
from pathlib import Path


def samples(folder: Path) -> list[bytes]:
    """The tensors of all samples, in order."""
    found = []
    for path in sorted((folder / "pictures").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".safetensors") and (file := tar.extractfile(member)):
                    found.append(file.read())
    return found


def written(folder: Path, contents: list[bytes]) -> dict[str, str]:
    """Write them as litdata does; the digest of each file."""
    writers = importlib.import_module("litdata.streaming.writer")
    folder.mkdir()
    writer = writers.BinaryWriter(str(folder), chunk_bytes="256MB")
    for number, content in enumerate(contents):
        writer[number] = {"number": number, "tensors": content}
    writer.done()
    writer.merge(1)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def order(folder: Path, workers: int, upto: int | None = None, state: dict | None = None) -> tuple:
    """Numbers batch by batch, and the state after `upto` batches."""
    litdata = importlib.import_module("litdata")
    dataset = litdata.StreamingDataset(str(folder), shuffle=True, seed=3)
    loader = litdata.StreamingDataLoader(dataset, batch_size=8, num_workers=workers)
    if state is not None:
        loader.load_state_dict(state)
    found = []
    for batch in loader:
        found.append(batch["number"].tolist())
        if len(found) == upto:
            return found, loader.state_dict()
    return found, None


def main() -> None:
    """Write, read and resume."""
    litdata = importlib.import_module("litdata")
    place = Path(sys.argv[1])
    said: dict[str, object] = {}
    contents = samples(place)
    first, second = (written(place / name, contents) for name in ("once", "twice"))
    said["files that differ between two writings"] = [n for n in first if first[n] != second[n]]
    began = time.monotonic()
    for one in litdata.StreamingDataset(str(place / "once"), shuffle=False):
        assert one["tensors"]
    said["reading"] = time.monotonic() - began
    whole, _ = order(place / "once", 2)
    part, state = order(place / "once", 2, upto=3)
    for name, workers in (("the same", 2), ("fewer", 1), ("no", 0)):
        rest, _ = order(place / "once", workers, state=state)
        said[f"resumed with {name} workers"] = part + rest == whole
    print(json.dumps(said))


if __name__ == "__main__":
    main()
