"""`python -m benchmarks list` names the benchmarks; `python -m benchmarks NAME` runs one.

It prints one line of JSON: `{"name", "ratio", "goal", "holds", "repeats", "hardware"}`. Both sides
run in one process tree, taking turns, so that a busy machine slows both. Details go to stderr. The
exit status is 1 when the goal does not hold.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from benchmarks.result import Result
from mm_model.environment import hardware, silence_telemetry
from mm_model.errors import UserError

NAMES = {
    "serving_overhead": "a request at the door over the direct call of the same model",
    "serving_load": "clips a second of many clients at the door over those of one",
    "serving_memory": "memory of the door after 1,000 mixed requests over that after 50",
    "serving_follows": "seconds from a move of the alias until the other is served, over 10",
    "shot_cuts": "clips whose cuts we tell right over those of the best of other detectors",
    "text_looks": "pictures whose text the second look tells right over those of the cheap rule",
    "watermark_looks": "made watermarks above a bound less clean pictures above it, by one's model",
    "occlusion": "area under the curve that tells covered faces from whole ones",
    "prescreen": "CPU time with a cheap first look over that without, half of the pictures empty",
    "quality_looks": "spoilt photographs and clips above a bound that loses hardly any clean one",
    "promotion": "share of what is claimed of the promotion rule that holds, simulated",
    "efficiency": "CPU time of a bare decode, detect, embed loop over that of a data stage",
    "growth": "CPU time a photograph through the data stages, of 5,000 over that of 500",
    "kills": "CPU time of data stages that are killed three times over that of undisturbed ones",
    "increment": "CPU time of one file in a hundred more, or of another bound, over what it may be",
    "decode_economy": "frames that a data stage decodes over those that it needs",
    "peer": "CPU time of our data stages over that of py-data-juicer's like operators",
    "clustering": "CPU time per embedding to tell people apart, of 100,000 over that of 10,000",
    "neighbours": "CPU time per item to find copies and to choose pairs, of 100,000 over 10,000",
    "tables": "memory of what is done with tables of 4,000,000 rows over 2 GiB",
    "streaming": "time that a training waits for samples of the paper's sizes, over its steps",
    "stage_memory": "memory a row of the stages that compare all rows, over 200 bytes",
    "table3": "table 3 of the paper on a GPU: the worst of its three ratios over its goal",
    "stage_overhead": "seconds that Dagster and DVC add to a stage's own command, over 1.5",
    "nothing_to_do": "time of a run with nothing to do, the slowest of three ways, over a full run",
    "dev_answers": "seconds until Dagster's page shows the graph, over 20",
    "ray_scale": "speed of workers of a Ray cluster over that of as many local processes",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; return the exit status."""
    silence_telemetry()
    root = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="name", dest="name")
    commands.add_parser("list", help="name the benchmarks")
    for name, what in NAMES.items():
        command = commands.add_parser(name, help=what)
        importlib.import_module(f"benchmarks.{name}").options(command)
    options = root.parse_args(arguments)
    if options.name == "list":
        for name, what in NAMES.items():
            print(f"{name:20} {what}")
        return 0
    try:
        result: Result | None = importlib.import_module(f"benchmarks.{options.name}").run(options)
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    if result is None:
        return 0
    said = {"name": options.name, **result.fields(), "hardware": hardware()}
    print(json.dumps(said))
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
