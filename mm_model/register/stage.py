"""Stage `register`: the better stage's adapter becomes one version of the registered model.

takes  pretrain, finetune, evaluate
gives  release.json, release.parquet; a version in the registry
It packs adapter, backbone, face pack, served code and evaluation, decides on promotion, moves the
alias unless a person pinned it. It trains and measures nothing; the same
content is registered once. An experiment of DVC (`dvc exp run`) registers nothing.
"""

from dataclasses import asdict
from typing import Any

from mm_model.records import Counts
from mm_model.register.people import candidate
from mm_model.register.tags import NUMBERS, metrics_of, number, of_job, tags_of
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import atomic, experiment, tables
from mm_model.store.atomic import Document

RELEASE = "release.json"
TABLE = "release.parquet"
TABLE_COLUMNS = ("model_name", "version", "release_digest", "adapter_digest", "alias")
_MARKS = {
    "changed": ("The tree holds changes that are not committed; the version is marked so.",),
    "unknown": ("The tree is not under git; the version is marked so.",),
}


def run(job: Job) -> Report:
    """Register the adapter that `evaluate` found to be the candidate, with its numbers."""
    from mm_model.register import account, announce, origin, trained, versions

    asked, rule = experiment.current(), job.profile.register_
    tree = "experiment" if asked else origin.checked(job.layout).state
    metrics = metrics_of(job.inputs["evaluate"])
    described = _package(job, metrics)
    if asked is None:
        release = versions.publish(
            job.layout,
            described,
            metrics=metrics,
            tags=tags_of(job, metrics, tree) | trained.keep(job, candidate(metrics)),
            rule=rule,
            work=job.work,
            said=announce.of_job(job, metrics),
        )
    else:
        release = account.of_experiment(described, rule.model_name, asked)
    atomic.write_json(job.out / RELEASE, asdict(release))
    rows = [
        {
            "model_name": release.model_name,
            "version": release.version,
            "release_digest": release.release_digest,
            "adapter_digest": release.adapter_digest,
            "alias": alias,
        }
        for alias in release.aliases
    ]
    tables.write(job.out / TABLE, rows, TABLE_COLUMNS, {"version": "count"})
    version = f"version {release.version}" if release.version else "is not registered"
    job.say(
        f"{release.model_name} {version} ({', '.join(release.aliases)}), "
        f"release {release.release_digest[:12]}, adapter {release.adapter_digest[:12]}"
    )
    numbers = {name: number(metrics, name) for name in NUMBERS}
    terms = of_job(job)
    return Report(
        Counts(total=1, kept=1),
        {"version": release.version or None, "promoted": release.promoted, **numbers},
        notes=(
            *release.sentences,
            *([said] if (said := (metrics.get("stages") or {}).get("sentence")) else []),
            *_MARKS.get(tree, ()),
            f"Terms of use: {terms.use}, because of {terms.because}.",
            *([f"Serve it with: {command}"] if (command := release.serve_command) else []),
        ),
    )


def confirm(job: Job) -> bool:
    """Whether the registry still holds what the published `release.json` says; an experiment's
    says nothing of it, and counts in experiments alone.

    A registry that was deleted or moved makes a finished output untrue; then the stage runs again.

    Raises:
        UserError: the code that would be served was changed since it was evaluated.
    """
    from mm_model.register import account, package, versions

    package.refuse_unmeasured_code(metrics_of(job.inputs["evaluate"]))
    release = account.read(job.layout.output("register"), RELEASE)
    if release is None or experiment.current() is not None:
        return release is not None
    return versions.stands(job.layout, release, job.say)


def _package(job: Job, metrics: Document) -> Any:
    from mm_model.register.package import package

    folders = {
        "adapter": job.inputs[candidate(metrics)] / "adapter",
        "backbone": job.model("backbone"),
        "facepack": job.model("facepack"),
    }
    return package(folders, metrics, job.profile, job.layout.root)


STAGE = Stage(
    name="register",
    title="Register the model",
    version=3,
    takes=("pretrain", "finetune", "evaluate"),
    sections=("register", "serve", "model", "faces", "ingest", "evaluate", "run"),
    models=("backbone", "facepack", "judge"),
    run=run,
    confirm=confirm,
)
