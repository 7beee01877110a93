"""The exceptions a user may meet. Each message is one sentence with the way out.

The command line, the serving front and the Dagster assets print these messages without a
traceback; any other exception is a defect and keeps its traceback in the log.
"""

import errno
import re

_WAYS_OUT = {
    errno.ENOSPC: "the disk is full: free some space and run again",
    errno.EDQUOT: "your disk quota is used up: free some space and run again",
    errno.EFBIG: "the system lets no file grow that large: raise that limit and run again",
    errno.EROFS: "the file system is read-only: make it writable, or use another folder",
    errno.EACCES: "permission is denied: give this user the right to read and write there",
    errno.EPERM: "permission is denied: give this user the right to read and write there",
    errno.ENOTDIR: "a file lies where a folder is needed: move it away and run again",
    errno.EISDIR: "a folder lies where a file is needed: move it away and run again",
    errno.EIO: "the disk reports an input/output error: see that it is whole and not full, then "
    "run again",
    errno.ESTALE: "the network file system lost the file: mount it again, then run again",
    errno.ENOLCK: "the file system gives no locks: mount it with locks, or use another folder",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n) and run again",
    errno.ENFILE: "too many files are open on this machine: close some programs and run again",
}
_FULL = ("database or disk is full", "No space left on device")
_IO_ERROR = "disk I/O error"  # SQLite's words, also where its shared memory finds no room
_NUMBER = re.compile(r"\b(?:os error|errno) (\d+)\b", re.IGNORECASE)
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


class UserError(Exception):
    """Something the user can mend; the message names the file or field and the way out."""


class AuditError(UserError):
    """A data-quality suite failed; the message names the expectation and the rows."""


class BusyError(UserError):
    """Another process holds the work folder; the message names the holder."""


class MachineError(UserError):
    """The machine would not do what was asked (disk full, read-only, no permission)."""


def first_line(error: BaseException) -> str:
    """The first line of an error, or its kind when it has no words."""
    said = str(error).strip().splitlines()
    return said[0][:200] if said else type(error).__name__


def of_machine(error: BaseException, kept: str = "finished work is kept") -> MachineError | None:
    """The sentence for a fault of disk or permissions; None when `error` is something else.

    `kept` ends the sentence: what the fault has cost, or has not. Libraries wrap such faults in
    exceptions of their own, so the number is looked for in the words and in what the error was
    raised from.
    """
    seen: BaseException | None = error
    while seen is not None:
        if way_out := _WAYS_OUT.get(machine_number(seen) or 0):
            name = getattr(seen, "filename2", None) or getattr(seen, "filename", None)
            where = f"{name}: " if name else ""
            return MachineError(f"{where}{way_out}; {kept}.")
        seen = seen.__cause__
    return None


def machine_number(error: BaseException) -> int | None:
    """The system's number of a fault of the machine, also where a library only says it in words."""
    number = _number(error)
    return number if number in _WAYS_OUT else None


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, UserError):
        return None
    said = str(error)
    if any(words in said for words in _FULL) or _SHORT_WRITE.search(said):
        return errno.ENOSPC
    if _IO_ERROR in said:
        return errno.EIO
    found = _NUMBER.search(said)
    return int(found[1]) if found else None
