"""Encodes frames as H.264 in MP4 and pictures as JPEG or PNG, in memory and reproducibly.

Fast settings and the index at the end, as a camera writes; ``mm_model.media.encode`` is for what
the pipeline publishes, and its options for equal bytes hold here too.
"""

from __future__ import annotations

import io
from fractions import Fraction

import cv2
import numpy as np

from mm_model.media.encode import x264_options


def encode_mp4(frames: np.ndarray, fps: int, crf: int = 16) -> bytes:
    """``frames`` uint8 [T, H, W, 3] RGB, H and W even -> an MP4 file with H.264, yuv420p."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        options = x264_options(crf, "veryfast")
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def encode_picture(image: np.ndarray, suffix: str) -> bytes:
    """``image`` uint8 [H, W, 3] RGB -> the bytes of a ``.jpg`` (quality 95) or ``.png`` file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"cannot encode a picture as '{suffix}'; use .jpg or .png")
    return data.tobytes()
