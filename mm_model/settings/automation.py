"""What starts by itself, when, and how often it is tried again. No stage reads any of it."""

from mm_model.settings import bounds
from mm_model.settings.section import Section


class AutomationSettings(Section):
    """The nightly schedule, the bounds of the sensors, and what an unattended run may repeat.

    `cron` has five fields and is read in `timezone`. A run starts when `minimum_files` files are
    new, or `minimum_removed` were removed or changed, and nothing arrived for `quiet_seconds`.
    `retries` and `retry_seconds`: how often, and how long after, a run that the machine ended is
    taken up again. `fresh_hours`: how old the registered model may grow before somebody is told.
    """

    cron: bounds.Cron
    timezone: bounds.Timezone
    minimum_files: bounds.Count
    minimum_removed: bounds.Count
    quiet_seconds: bounds.Seconds
    retries: bounds.SomeOrNone
    retry_seconds: bounds.Seconds
    fresh_hours: bounds.Hours | None
