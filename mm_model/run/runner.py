"""Runs one stage: lock, compute aside, audit, publish. The one way a result comes into being.

Order: verify inputs, name the work by its fingerprint, compute into `work/.../out`, audit that
folder, seal it with its manifest, rename it to `data/<profile>/<stage>`. A failure leaves the
declared output untouched and the candidate aside. The manifest says which code did it; told to be
strict (`MM_STRICT=1`), neither an output nor begun work of other code counts.
"""

import shutil
import time
from pathlib import Path

from mm_model.environment import bound_threads, silence_telemetry
from mm_model.errors import UserError
from mm_model.run import aside, feasible, made_by, stages, tracked, views
from mm_model.run.stage import Job, Report, Stage
from mm_model.settings import Params, Profile, load_params, load_profile, show
from mm_model.settings.listed import NAME as LIST
from mm_model.store import atomic, digests, documents, lease, lock, manifest, streamed
from mm_model.store.layout import Layout
from mm_model.store.walk import why
from mm_model.tracking.tracker import Tracker

_DYING = 5.0
"""Seconds that a stage may take to end after the run that started it was killed."""


def fingerprint_of(
    stage: Stage, profile: Profile, inputs: dict[str, str], models: dict[str, str]
) -> str:
    """Name of the work: stage, code version, its part of the profile, inputs and models."""
    return digests.of_value(
        {
            "stage": stage.name,
            "version": stage.version,
            "settings": stage.settings(profile),
            "inputs": inputs,
            "models": models,
        }
    )


def model_digests(stage: Stage, params: Params, layout: Layout) -> dict[str, str]:
    """Digest of every entry of `params.yaml` that the stage reads, and of all that it is given.

    Raises:
        UserError: one does not exist or cannot be read.
    """
    return {name: model_digest(stage, name, params, layout) for name in stage.inputs}


def model_digest(stage: Stage, name: str, params: Params, layout: Layout) -> str:
    """Digest of the input `name` of a stage.

    Raises:
        UserError: it does not exist or cannot be read.
    """
    written = stage.place(name, params)
    path = layout.root / written
    where = f"{LIST if name in stage.given else 'params.yaml'}: {name}: "
    try:
        if not path.exists():
            more = ", or make it of published weights (docs/checkpoints.md)"
            raise UserError(
                f"{where}{written} does not exist: "
                f"correct the path there{more if name == 'backbone' else ''}."
            )
        if name != "sources":
            as_recorded(path)
        # Somebody's raw folder may hold files we may not read; the stage records each of them.
        return digests.of_path(path, tolerant=name == "sources")
    except OSError as error:
        raise UserError(
            f"{where}{error.filename or path} cannot be read ({why(error)}): "
            "mend its permissions, or name another there."
        ) from None


def as_recorded(folder: Path) -> None:
    """Hold a folder of weights to the digests in its own manifest, where it has one.

    Raises:
        UserError: a file is missing or differs.
    """
    path = folder / manifest.NAME
    if not path.is_file():
        return
    mend = f"restore the folder (where git holds it: git checkout -- {folder})"
    listed = documents.read(path, mend).get("files", {})
    for name, expected in listed.items() if isinstance(listed, dict) else ():
        if not isinstance(expected, str):
            continue
        if not (folder / name).is_file() or digests.of_file(folder / name) != expected:
            raise UserError(f"{folder / name} is missing or differs from {path}: {mend}.")


def _fit_together(found: dict[str, manifest.Manifest], layout: Layout) -> None:
    """Refuse an input that was made from another output than the one that lies there now."""
    for name, known in found.items():
        for taken, digest in known.inputs.items():
            if taken in found and found[taken].digest != digest:
                raise UserError(
                    f"{layout.output(name)} was made from another output of {taken} than lies in "
                    f"{layout.output(taken)}: run stage {name} again (dvc repro -s {name}, or "
                    f"python -m mm_model run {name})."
                )


def _record_time(layout: Layout, stage: str, seconds: float) -> None:
    path = layout.root / "work" / layout.profile / "timings.json"
    known = documents.read_or_empty(path)
    known[stage] = {"seconds": round(seconds, 3), "finished": time.time()}
    atomic.write_json(path, known)


def _already_done(stage: str, output: Path, fingerprint: str) -> manifest.Manifest | None:
    """The manifest of a published output of this very work; a damaged one is made again."""
    if not (output / manifest.NAME).is_file():
        return None
    try:
        known = manifest.read(output)
        if known.fingerprint != fingerprint:
            return None
        if made_by.strict() and made_by.difference(known, made_by.record(stage)):
            return None
        return manifest.verified(output)
    except UserError as error:
        print(f"[{stage}] the output is made again: {str(error).split(': ')[0]}", flush=True)
        return None


def _compute(stage: Stage, job: Job) -> Report:
    shutil.rmtree(job.out, ignore_errors=True)
    job.out.mkdir(parents=True)
    report = stage.run(job)
    job.tracker.report(report.as_dict())
    views.attempt(
        "choice of samples for MLflow", lambda: tracked.show_samples(job, report), views.WITHOUT
    )
    atomic.write_json(job.out / "report.json", report.as_dict())
    return report


def run(name: str, root: Path, shown: views.Views = ()) -> Report:
    """Run one stage of the profile that `<root>/params.yaml` names, and publish its output.

    `shown` are the views that are made again then.

    Raises:
        UserError: an input is missing or damaged, settings do not fit, or the audit failed.
        BusyError: somebody else is at work in this tree.
    """
    silence_telemetry()
    made_by.strict()  # a word that means nothing is refused before anything is written
    aside.bring(root)
    params = load_params(root)
    profile = load_profile(root, params.profile)
    bound_threads(profile.run.threads)
    layout = Layout(root, params.profile)
    if name in feasible.LEADING:
        feasible.refuse_blind_recognizer(profile, root / params.backbone)
        feasible.refuse_missing_optimizer(profile)
    if name in feasible.PAINTING:
        feasible.refuse_missing_synthesizer(profile, root / params.synthesizer)
    with lease.held(layout.lease, f"The stage {name}"):
        if name in feasible.COSTLY:
            feasible.refuse_damaged_judges(root / params.judges)
        show.write(root, params.profile)  # whoever compares values sees those that this run used
        return _run_alone(stages.of(name, root), params, profile, layout, shown)


def _run_alone(
    stage: Stage, params: Params, profile: Profile, layout: Layout, shown: views.Views
) -> Report:
    inputs = {taken: layout.output(taken) for taken in stage.takes}
    found = {
        taken: manifest.verified(path, streamed.elsewhere(taken)) for taken, path in inputs.items()
    }
    _fit_together(found, layout)
    input_digests = {taken: known.digest for taken, known in found.items()}
    models = model_digests(stage, params, layout)
    fingerprint = fingerprint_of(stage, profile, input_digests, models)
    work = layout.work(stage.name, fingerprint)
    about = tracked.told(stage.name, params, profile, layout, found, models)
    with lock.held(work, f"stage {stage.name}", _DYING):
        job = Job(
            stage=stage,
            params=params,
            profile=profile,
            layout=layout,
            fingerprint=fingerprint,
            inputs=inputs,
            work=work,
            out=work / "out",
            tracker=Tracker(layout.books, stage.name, told=about),
            views=shown,
        )
        return _run_locked(job, input_digests)


def _run_locked(job: Job, input_digests: dict[str, str]) -> Report:
    stage, layout = job.stage, job.layout
    output = layout.output(stage.name)
    done = _already_done(stage.name, output, job.fingerprint)
    if done and (stage.confirm is None or stage.confirm(job)):
        views.refresh(layout, job.views)
        print(f"[{stage.name}] up to date: {done.report['line']}", flush=True)
        return _report_of(done)
    started = time.monotonic()
    with job.tracker.running(_tags(job), job.profile.part(*stage.sections)):
        report = _made(job, input_digests)
    atomic.sweep(output)
    atomic.publish_folder(job.out, output)
    shutil.rmtree(job.work / "checkpoints", ignore_errors=True)
    seconds = time.monotonic() - started
    views.attempt("record of times", lambda: _record_time(layout, stage.name, seconds))
    views.rebuild(layout, job.views)
    print(f"[{stage.name}] {report.counts.line()}", flush=True)
    for note in report.notes:
        print(f"[{stage.name}] note: {note}", flush=True)
    return report


def _tags(job: Job) -> dict[str, str]:
    return {
        "stage": job.stage.name,
        "stage_version": str(job.stage.version),
        "fingerprint": job.fingerprint,
        "profile_digest": job.profile.digest,
    }


def _made(job: Job, input_digests: dict[str, str]) -> Report:
    """Compute, audit and seal the candidate `job.out`."""
    from mm_model.quality import audit
    from mm_model.quality.account import require_account

    stage, settings_digest = job.stage, digests.of_value(job.stage.settings(job.profile))
    now = made_by.record(stage.name)
    others = made_by.begin(job.work, now, made_by.strict())
    if others:
        job.say("goes on with work that other code began")
    report = _compute(stage, job)
    bounds = stage.bounds()
    audit.audit(stage.name, job.out, job.profile, bounds)
    audit.require_passed(stage.name, job.out, job.profile, bounds)
    require_account(stage.name, job.out, report.counts, job.inputs)
    then, now = now, made_by.record(stage.name)  # somebody may have written while this ran
    sealed = manifest.seal(
        job.out,
        manifest.Manifest(
            stage=stage.name,
            version=stage.version,
            fingerprint=job.fingerprint,
            inputs=input_digests,
            settings_digest=settings_digest,
            report=report.as_dict(),
            code=now,
            before=made_by.before([*others, then], now),
        ),
    )
    job.tracker.summary(tracked.summary(stage.name, report, job.out, sealed.digest))
    return report


def _report_of(known: manifest.Manifest) -> Report:
    from mm_model.records import Counts

    said = known.report
    return Report(
        Counts(said["total"], said["kept"], said["rejected"], said["failed"]),
        said["metrics"],
        tuple(said["pictures"]),
        tuple(said["notes"]),
    )
