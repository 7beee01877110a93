"""The report page, its parts, the figures and the time-lapse: what people look at."""
