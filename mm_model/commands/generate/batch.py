"""A batch of orders: made one after another in one folder, and gone on with where it ended.

An order whose clip lies there whole, with a record that says the same, is not made again. One that
cannot be made is recorded with its sentence, and the others are made all the same.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from mm_model.commands.generate import order, place, rows, sidecar, wording
from mm_model.commands.generate.ending import Say
from mm_model.commands.generate.held import HeldModel
from mm_model.commands.generate.interrupt import Interrupted
from mm_model.commands.generate.rows import BatchRow
from mm_model.errors import BusyError, MachineError, UserError, first_line, of_machine
from mm_model.serving.refusal import Refusal
from mm_model.store import atomic, digests, named
from mm_model.store.layout import Layout

REFUSED = "rejected.csv"
_REFUSED_COLUMNS = ("line", "name", "reason")


class BatchEnd(StrEnum):
    """How one order ended."""

    MADE = "made"
    THERE = "were there"
    REFUSED = "refused"


@dataclass
class _Batch:
    """A batch at work: what its orders share, and how they ended so far.

    say: for what concerns every clip, such as a note: told once. tell: for one order's end.
    """

    layout: Layout
    common: argparse.Namespace
    tell: Say
    say: Say
    held: HeldModel
    ends: Counter[BatchEnd] = field(default_factory=Counter)
    refused: list[tuple[BatchRow, str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where the clips lie."""
        return self.common.out

    @property
    def summary(self) -> str:
        """How many ended how."""
        return ", ".join(f"{self.ends[end]} {end.value}" for end in BatchEnd)

    def refuse(self, row: BatchRow, sentence: str) -> None:
        """Record it at once, so that an end of the whole loses nothing."""
        self.refused.append((row, sentence))
        self.ends[BatchEnd.REFUSED] += 1
        self.tell(f"  refused: {sentence}")
        with atomic.written_aside(self.folder / REFUSED) as aside, aside.open("w") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_REFUSED_COLUMNS)
            writer.writerows((one.line, one.name, said) for one, said in self.refused)


def run(layout: Layout, common: argparse.Namespace, say: Say) -> None:
    """Make every order of the file `common.batch` in the folder `common.out`; the other options
    hold where a row is silent.

    Raises:
        UserError: the file is no batch, the machine would not go on, or at the end an order was
            refused.
        Interrupted: by a signal.
    """
    if common.out is None:
        raise UserError("Name the folder for the clips of the batch with -o.")
    orders = rows.read(common.batch)
    batch = _Batch(layout, common, say, _once(say), HeldModel(common.low_memory))
    _begin(batch.folder)
    for number, row in enumerate(orders, start=1):
        batch.tell(f"[{number}/{len(orders)}] {row.name}")
        with _going_on(batch, row):
            batch.ends[_one(batch, row)] += 1
    say(f"{len(orders)} orders: {batch.summary}")
    if batch.refused:
        raise UserError(
            f"{batch.folder / REFUSED} says which of {len(orders)} orders were refused and why: "
            "mend them, and the same command makes those alone."
        )


def _begin(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is no folder: name one for the clips with -o.")
    folder.mkdir(parents=True, exist_ok=True)
    before = folder / REFUSED
    if os.path.lexists(before) and not _ours(before):
        raise UserError(
            f"{before} was written by no batch and stays as it is: name another folder with -o."
        )
    before.unlink(missing_ok=True)


def _ours(path: Path) -> bool:
    """Whether a batch wrote this file of refused orders."""
    begins = (",".join(_REFUSED_COLUMNS) + "\n").encode()
    try:
        with path.open("rb") as file:
            return file.read(len(begins)) == begins
    except OSError:
        return False


def _one(batch: _Batch, row: BatchRow) -> BatchEnd:
    """Make one order, unless its clip is there."""
    options = rows.options_of(row, batch.common, batch.common.batch.parent)
    order.leave_to_others(options, row.cells)
    wish = replace(order.of_options(options), held=batch.held)
    target = row.target(batch.folder, options)
    files = place.of(target, wish.prompts)
    there = [path for path in files.files if os.path.lexists(path)]
    if there:
        said = _whole(files)
        if said is not None and order.is_of(batch.layout, wish, said):
            batch.tell("  is there")
            return BatchEnd.THERE
        if not options.force:
            raise UserError(
                f"{there[0]} is no whole clip of this order: give the order another name, or add "
                "--force to replace what lies there."
            )
    order.make(batch.layout, wish, target, force=options.force, say=batch.say)
    return BatchEnd.MADE


def _whole(files: place.ClipFiles) -> sidecar.Sidecar | None:
    """The record, where each of its files is the one that it tells of."""
    try:
        said = sidecar.read(files.record)
        paths = (files.target, *files.each)
        found = [digests.of_file(path) for path in paths]
    except (UserError, OSError):
        return None
    return said if found == [said.video_sha256, *said.shots_sha256] else None


@contextlib.contextmanager
def _going_on(batch: _Batch, row: BatchRow) -> Iterator[None]:
    """Record what is wrong with one order; what every further one would meet too ends the batch."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted at {row.name} ({batch.summary}): the same command goes on from there."
        ) from None
    except (BusyError, MachineError):
        raise
    except Refusal as refusal:
        batch.refuse(row, str(wording.of(refusal)))
    except UserError as error:
        batch.refuse(row, str(error))
    except Exception as error:
        if machine := of_machine(error, "the same command goes on from there"):
            raise machine from error
        known = named.fault(error, row.cells.values())
        if known is None:
            traceback.print_exc(file=sys.stderr)
        said = f"a defect of this program ({type(error).__name__}: {first_line(error)})."
        batch.refuse(row, said if known is None else str(known))


def _once(say: Say) -> Say:
    """Says a line that every clip would say, such as a note, only the first time."""
    before: set[str] = set()

    def said(line: str) -> None:
        if line not in before:
            before.add(line)
            say(line)

    return said
