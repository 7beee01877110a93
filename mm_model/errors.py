"""The exceptions a user may meet. Each message is one sentence with the way out.

The command line, the serving front and the Dagster assets print these messages without a
traceback; any other exception is a defect and keeps its traceback in the log.
"""


class UserError(Exception):
    """Something the user can mend; the message names the file or field and the way out."""


class AuditError(UserError):
    """A data-quality suite failed; the message names the expectation and the rows."""


class BusyError(UserError):
    """Another process holds the work folder; the message names the holder."""
