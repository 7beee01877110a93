"""The contact sheet of the pairs stage: targets beside what was tried as their reference."""

import numpy as np

from mm_model.pairs import report
from mm_model.pairs.library import Library
from mm_model.pairs.select import Candidate
from mm_model.pairs.write import Files
from mm_model.run.stage import Job
from mm_model.store import atomic

_SIDE = 384  # what is held of a picture until the sheet is made


def sheet(job: Job, library: Library, tried: list[Candidate], files: Files) -> None:
    """Write `sheet.jpg` of some pairs, kept ones and rejected ones; nothing where none is shown."""
    from mm_model.facepack.detect import reduced
    from mm_model.faces.pictures import Pictures
    from mm_model.media.sheet import jpeg_bytes

    def picture(file: str) -> np.ndarray:
        path, frame = report.picture_path(file, job.inputs, job.out)
        media = "image" if frame is None else "clip"
        pictures = Pictures(path, media, (frame or 0) + 1, 1, 1)
        return reduced(next(image for _, image in pictures.at([frame or 0])), _SIDE)[0]

    pictures: dict[str, np.ndarray] = {}
    shown = []
    for pair in report.chosen_for_sheet([pair for pair in tried if files.of(pair.reference)]):
        sample = library.samples[pair.target]
        frame = "" if sample.media == "image" else f"#frame={sample.num_frames // 2}"
        wanted = {
            pair.reference.key: str(files.of(pair.reference)),
            pair.target: f"ingest:{sample.file}{frame}",
        }
        try:
            pictures |= {key: picture(file) for key, file in wanted.items() if key not in pictures}
        except Exception:  # a picture that failed or went missing: the sheet does without the pair
            continue
        shown.append(pair)
    if shown:
        drawn = report.sheet(shown, pictures)
        atomic.write_bytes(job.out / "sheet.jpg", jpeg_bytes(drawn))
