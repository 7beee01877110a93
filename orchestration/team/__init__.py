"""A team's services as plain processes: Dagster, MLflow and the door behind one password.

`python -m orchestration.team` (`make team`) starts them; docs/team.md says how to get there.
"""
