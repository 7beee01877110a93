"""Earlier contents of a stage's own file that did the very work of today's.

DVC takes a stage's file byte by byte, so that a comment in it makes days of work again. An output
is taken over (`orchestration.bring_over`) where the file that made it stands here: its output was
compared with today's byte for byte, manifests aside, before its line was written.
"""

SAME_WORK = {
    "mm_model/ingest/stage.py": ("4111836b0f3f50b218d148e65e323a5b",),
    "mm_model/faces/stage.py": ("706af67956436f014f4cab272f39c2cc",),
    "mm_model/pairs/stage.py": ("833b0edb4182f7307174e674f65f1cff",),
}
"""Path of the stage's file to the MD5s of its earlier contents, as `dvc.lock` holds them."""
