"""Runs one stage through `dvc repro` in a process group of its own, and reports its result.

DVC decides whether anything must run and writes `dvc.lock`; this only starts it, listens, and
reads what was published. It never commits anything, and checks out one thing alone: the last good
output of a stage that failed.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg

from assets import graph
from assets.graph import INPUT_ASSETS, SETTINGS, nodes
from assets.wiring import StageEvents
from mm_model.errors import BusyError, UserError
from mm_model.run import made_by, stages
from mm_model.settings import load_params
from mm_model.store import atomic, closure
from mm_model.store.layout import Layout
from orchestration import (
    automation,
    by_code,
    code_version,
    dvc_inputs,
    dvc_lock,
    failed,
    judged,
    listing,
    observed_inputs,
    rendering,
    runs,
    studies,
    turn,
    views,
)
from orchestration.dvc_command import dvc, environment, mend_lock, ran, settled
from orchestration.listing import Listing
from orchestration.outcome import STOPPED, Outcome
from orchestration.pipes import LineReader
from orchestration.process_group import ProcessGroup
from orchestration.ready_dvc import ReadyDvc
from orchestration.worker import client, named

_SEVERAL = 3
"""From so many stages on, one look at all of them is quicker than asking DVC for each."""
_NOISE = (  # hints on git, of which dvc.lock needs none here
    "To track the changes with git",
    "To enable auto staging",
    "Use `dvc push`",
    "git add",
    "dvc config core.autostage",
    "Updating lock file",
    "Generating lock file",
)


class DvcStageClient:
    """The resource `stages`: runs stages of the tree at `root`.

    `echo` is called with each line besides logging it; `views` are the commands of `mm_model`
    that rebuild derived views when DVC restored an output without running its stage. `outward`
    names stages whose result also lives outside this tree (the registry), which DVC cannot see:
    when DVC has nothing to run, the stage itself is asked to look. `package` is the library that
    stages run, `studies` what runs a study. `finished` holds the outcomes, `up_to_date` the stages
    that `look` found so.
    """

    def __init__(
        self,
        root: Path,
        echo: Callable[[str], None] | None = None,
        views: tuple[str, ...] = ("catalogue", "page"),
        outward: tuple[str, ...] = ("register",),
        package: Path = closure.PACKAGE,
        *,
        studies: tuple[str, ...] = ("-m", "mm_model.reproduce"),
    ) -> None:
        self.root, self._echo, self._views, self._outward = root, echo, views, outward
        self.package, self._studies = package, studies
        self.finished: list[Outcome] = []
        self.up_to_date: frozenset[str] = frozenset()
        self._turn = contextlib.ExitStack()
        self._ready = ReadyDvc(root)
        self._looked = False

    def leave(self) -> None:
        """Give the tree free for others: the run is over."""
        self._ready.leave()
        self._turn.close()

    def come(self, say: Callable[[str], None]) -> None:
        """Have the tree to ourselves until `leave`, after the runs of Dagster at work in it."""
        turn.come(self._turn, self.root, say)

    def look(self) -> None:
        """Ask DVC once which stages are up to date; those are not asked for one by one.

        For a run of everything that starts now: the answer holds until a stage changes something.
        The code is read while DVC looks.
        """
        self._looked = True
        with ThreadPoolExecutor(1) as beside:
            beside.submit(by_code.learn, self.package)
            try:
                every = {*nodes(), *stages.listed(self.root)}
                self.up_to_date = frozenset(every) - set(settled(self.root))
            except UserError:
                self.up_to_date = frozenset()

    def _look_once(self, context: dg.AssetExecutionContext) -> None:
        """`look` at the first stage of a run of several, where nobody has looked before."""
        if not self._looked and len(context.job_def.nodes) >= _SEVERAL:
            self.look()
        self._looked = True

    def input_version(self, asset: str) -> dg.DataVersion:
        """Version of one of the inputs that `params.yaml` names, by its listing."""
        return dg.DataVersion(self.inputs()[asset].digest)

    def inputs(self) -> dict[str, Listing]:
        """The listing of every input that `params.yaml` names, by asset name."""
        params = load_params(self.root)
        return {
            asset: listing.of(self.root / getattr(params, name))
            for name, asset in INPUT_ASSETS.items()
        }

    def run(self, context: dg.AssetExecutionContext, stage: str) -> StageEvents:
        """Bring one stage up to date; yield its checks, then its result.

        In a strict run what other code made is not up to date.

        Raises:
            dagster.Failure: the stage or DVC failed, or somebody else is at work in the tree; the
                description is the sentence that says so.
        """
        runs.claim(context.instance, context.run.run_id)
        self._begin(context, stage)
        self._look_once(context)
        layout = Layout(self.root, load_params(self.root).profile)
        observed = self._observe(context, stage)
        started = time.time()
        outcome = self._brought_up(context, layout, stage)
        if outcome.how != "unchanged":
            self.up_to_date = frozenset()
        outcome.seconds = time.time() - started
        self.finished.append(outcome)
        if outcome.status:
            yield from self._failed_audit(layout, outcome, started)
            self._put_back(context, layout, outcome)
            failure = dg.Failure(
                outcome.sentence,
                metadata={"last lines": dg.MetadataValue.md(_quoted(outcome.last))},
                allow_retries=outcome.may_be_repeated and automation.is_unattended(context.run),
            )
            raise automation.stopped(context, failure, self.root)
        if outcome.how == "restored" or outcome.worker:
            views.rebuild(self.root, self._views, context.log.warning)
        outcome.code = by_code.look(layout, stage, self.package)
        if outcome.code:
            self._say(context, f"[{stage}] {outcome.code.sentence()}")
        yield rendering.check_result(layout, stage, layout.output(stage) / "audit.json")
        yield by_code.check_result(stage, outcome.code)
        yield from judged.check_results(layout, stage)
        yield self._result(context, layout, outcome, observed)

    def study(self, context: dg.AssetExecutionContext, key: str) -> StageEvents:
        """Run one study at one size; yield its result.

        Raises:
            dagster.Failure: as `run`.
        """
        self._begin(context, key)
        say = context.log.info
        yield studies.brought_up(context, self.root, key, command=self._studies, say=say)

    def _begin(self, context: dg.AssetExecutionContext, stage: str) -> None:
        """Have the tree to ourselves until `leave`, and tell others which stage is at work."""
        try:
            held = self._turn.enter_context(turn.held(self.root, turn.DAGSTER))
        except BusyError as error:
            waits = automation.is_unattended(context.run)
            failure = dg.Failure(str(error), allow_retries=waits)
            raise automation.stopped(context, failure, self.root) from None
        if held is not None:
            held.say(stage)

    def _brought_up(self, context: dg.AssetExecutionContext, layout: Layout, stage: str) -> Outcome:
        try:
            strict = by_code.is_strict(context.run)
        except UserError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        outcome = Outcome(stage) if stage in self.up_to_date else self._repro(context, stage)
        if outcome.status or outcome.how == "computed":
            return outcome
        if strict and (other := by_code.look(layout, stage, self.package)):
            self._say(context, f"[{stage}] {other.sentence()}: it runs again")
            return self._repro(context, stage, "--force")
        return self._confirmed(context, outcome) if stage in self._outward else outcome

    def _put_back(
        self, context: dg.AssetExecutionContext, layout: Layout, outcome: Outcome
    ) -> None:
        """Bring back the last good output of a stage that failed: DVC took it away before."""
        output = layout.output(outcome.stage)
        if output.exists():
            return
        try:
            if outcome.stage not in dvc_lock.entries(self.root, layout.profile):
                return
        except UserError:
            return  # a damaged lock is what the outcome tells of
        place = layout.relative(output)
        done = ran(dvc("checkout", "--force", place), self.root)
        brought = done.returncode == 0 and output.exists()
        line = (
            f"[{outcome.stage}] The last good output is back in {place}."
            if brought
            else f"[{outcome.stage}] The last good output could not be brought back to {place}: "
            f"{' '.join(done.stderr.split())[-300:]}"
        )
        self._say(context, line)

    def _say(self, context: dg.AssetExecutionContext, line: str) -> None:
        context.log.warning(line)
        if self._echo:
            self._echo(line)

    def _observe(self, context: dg.AssetExecutionContext, stage: str) -> dict[str, Listing]:
        """Record the versions of the inputs this stage reads, before it reads them."""
        observed = self.inputs()
        for model in graph.node(stage).models:
            asset = INPUT_ASSETS[model]
            if observed[asset].digest != observed_inputs.recorded_version(context.instance, asset):
                context.log_event(observed_inputs.observation(asset, observed[asset].digest))
        if graph.partition(stage):
            folder = stages.given(stage, self.root)["folder"]
            observed[graph.PHOTOGRAPHS] = listing.of(self.root / folder)
        return observed

    def _repro(self, context: dg.AssetExecutionContext, stage: str, *options: str) -> Outcome:
        outcome = Outcome(stage)
        try:
            dvc_inputs.check(self.root, graph.node(stage).models, subjects=(stage,))
            worker = named.read()
            if worker is not None and stage in worker.stages:
                self._on_worker(context, outcome, worker, force=bool(options))
                return outcome
        except UserError as error:
            outcome.status, outcome.last = 1, [*outcome.last, f"{STOPPED}{error}"]
            return outcome
        mend_lock(self.root)
        with self._heard(context, outcome) as (hear, told):
            env = {**self._environment(context), **told}
            words = ("repro", "--single-item", *options, SETTINGS, stage)
            with self._ready.started(words, env, self._follows(context, stage)) as group:
                for line in group.lines():
                    hear(line)
                outcome.status = group.wait()
        return outcome

    def _follows(self, context: dg.AssetExecutionContext, stage: str) -> bool:
        """Whether another stage of this run comes after this one."""
        chosen = {node.name for node in context.job_def.nodes}
        return stage in [name for name in nodes() if name in chosen][:-1]

    def _on_worker(
        self,
        context: dg.AssetExecutionContext,
        outcome: Outcome,
        worker: named.Worker,
        *,
        force: bool,
    ) -> None:
        """The same on the machine that the environment names, where anything is to be done."""
        if not (force or client.needed(self.root, outcome.stage)):
            return
        outcome.worker = worker.url
        with self._heard(context, outcome) as (hear, _):
            ended = client.bring_up(
                client.Order(worker, self.root, outcome.stage, force, self._told(context)),
                hear,
                self.package,
            )
        outcome.status, outcome.audit = ended.status, ended.audit
        if outcome.how == "unchanged":
            outcome.how = "restored"  # it lies here now, and did not

    @contextlib.contextmanager
    def _heard(
        self, context: dg.AssetExecutionContext, outcome: Outcome
    ) -> Iterator[tuple[Callable[[str], None], Mapping[str, str]]]:
        """What takes in each line of a command, and the variables that the command is to have."""
        reader = LineReader()

        def hear(line: str) -> None:
            if not line.strip() or line.strip().startswith(_NOISE):
                return
            outcome.hear(line)
            reader.say(line)
            if self._echo:
                self._echo(line)

        with dg.open_pipes_session(
            context=context,
            context_injector=dg.PipesEnvContextInjector(),
            message_reader=reader,
        ) as session:
            yield hear, session.get_bootstrap_env_vars()

    def _environment(self, context: dg.AssetExecutionContext) -> dict[str, str]:
        return {**environment(self.root), **self._told(context)}

    def _told(self, context: dg.AssetExecutionContext) -> dict[str, str]:
        """Variables that tell a stage which run it belongs to, and whether that is strict."""
        strict = str(int(by_code.is_strict(context.run)))
        return {made_by.STRICT: strict, "DAGSTER_RUN_ID": context.run.run_id}

    def _failed_audit(
        self, layout: Layout, outcome: Outcome, started: float
    ) -> Iterator[dg.AssetCheckResult]:
        """The audit of the candidate that this run left aside, here or on the worker."""
        if outcome.audit is not None:
            with tempfile.TemporaryDirectory() as folder:
                told = Path(folder) / "audit.json"
                atomic.write_json(told, outcome.audit)
                yield rendering.check_result(layout, outcome.stage, told)
        elif (written := failed.audit(layout, outcome.stage, started)) is not None:
            yield rendering.check_result(layout, outcome.stage, written)

    def _result(
        self,
        context: dg.AssetExecutionContext,
        layout: Layout,
        outcome: Outcome,
        observed: Mapping[str, Listing],
    ) -> dg.MaterializeResult:
        stage, output = outcome.stage, layout.output(outcome.stage)
        entry = dvc_lock.entries(self.root, layout.profile)[stage]
        made_by = (
            code_version.of_output(output)
            or context.assets_def.code_versions_by_key[dg.AssetKey(graph.asset(stage))]
        )
        tags = dvc_lock.version_tags(entry, made_by, self.root, observed)
        metadata = rendering.report_metadata(layout, stage)
        outcome.account = str(metadata.get("account", ""))
        told = {"worker": outcome.worker, "found outside": outcome.outward}
        metadata |= {name: value for name, value in told.items() if value}
        return dg.MaterializeResult(
            metadata={"how": outcome.how, "seconds": round(outcome.seconds, 1), **metadata},
            data_version=dg.DataVersion(entry.data_version),
            tags=tags,
        )

    def _confirmed(self, context: dg.AssetExecutionContext, outcome: Outcome) -> Outcome:
        """Let a stage confirm what it left outside; it mends what is gone and else does nothing.

        What it mended may read otherwise than what DVC knows, and DVC would bring the old account
        back from its run cache at each run: then the stage is run once more, by DVC itself.
        """
        if self._ask_the_stage(context, outcome) or outcome.status:
            return outcome
        mended = self._repro(context, outcome.stage, "--force")
        mended.how = "computed"
        return mended

    def _ask_the_stage(self, context: dg.AssetExecutionContext, outcome: Outcome) -> bool:
        """Whether the stage found all as it was."""
        stood = False
        command = [sys.executable, "-m", "mm_model", "run", outcome.stage]
        with ProcessGroup(command, self.root, self._environment(context)) as group:
            for line in group.lines():
                outcome.hear(line)
                context.log.info(line)
                stood = stood or "up to date" in line
                if "up to date" not in line:
                    outcome.outward = f"{outcome.outward} {line}".strip()
                    if self._echo:
                        self._echo(line)
            outcome.status = group.wait()
        return stood


def _quoted(lines: list[str]) -> str:
    return "\n".join(["```", *lines, "```"])
