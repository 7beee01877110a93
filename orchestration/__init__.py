"""When stages run and with what, never how. An application package, never installed.

DVC decides whether a stage must run and is the only writer of `dvc.lock`; Dagster plans, queues
and shows.
"""
