"""Great Expectations on a data frame: what it says of each check, in the order of the checks."""

from collections.abc import Sequence
from typing import Any

from mm_model.quality.check import CONDITION, Check
from mm_model.rows import Row


class Expectations:
    """The library, opened once for the frames of one table."""

    def __init__(self) -> None:
        import great_expectations as gx

        self._gx = gx
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(
            globally=False
        )
        asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
        self._frames = asset.add_batch_definition_whole_dataframe("whole")

    def of(self, frame: Any, checks: Sequence[Check]) -> list[Row]:
        """Each check run by itself, so that the order never depends on the library's grouping."""
        batch = self._frames.get_batch({"dataframe": frame})
        return [
            batch.validate(
                self._made(check, check.arguments()), result_format="COMPLETE"
            ).to_json_dict()
            for check in checks
        ]

    def together(self, frame: Any, checks: Sequence[Check]) -> list[Row]:
        """All checks in one run for each set of rows they look at; each is known by its mark.

        The rows of a condition are chosen once here: the library would choose them again for every
        measure of every check.

        Raises:
            RuntimeError: the library left one out.
        """
        conditions: dict[object, list[int]] = {}
        for place, check in enumerate(checks):
            conditions.setdefault(check.condition, []).append(place)
        found: dict[int, Row] = {}
        for condition, places in conditions.items():
            rows = frame if condition is None else frame.query(condition)
            suite = self._gx.ExpectationSuite(
                "together", expectations=[self._of_rows(checks[n], n) for n in places]
            )
            batch = self._frames.get_batch({"dataframe": rows})
            for result in batch.validate(suite, result_format="COMPLETE").results:
                found[result.expectation_config.meta["place"]] = result.to_json_dict()
        if sorted(found) != list(range(len(checks))):
            raise RuntimeError(f"{len(checks)} checks were asked and {len(found)} answered")
        return [found[place] for place in range(len(checks))]

    def _of_rows(self, check: Check, place: int) -> Any:
        """The check with its mark, of rows that its condition has chosen already."""
        arguments = {k: v for k, v in check.arguments().items() if k not in CONDITION}
        return self._made(check, arguments | {"meta": {"place": place}})

    def _made(self, check: Check, arguments: Row) -> Any:
        return getattr(self._gx.expectations, check.expectation)(**arguments)


def raised(result: Row) -> bool:
    """Whether the library stumbled over the check, whatever it says of success."""
    info = result.get("exception_info") or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    return any(entry.get("raised_exception") for entry in entries if isinstance(entry, dict))
