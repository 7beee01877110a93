"""What the registry's pages show of a version: the run it came from, and its model card.

Both stand in the registry's record alone. The release's folder says neither, so that equal content
stays equal bytes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mm_model.errors import UserError, first_line
from mm_model.run.stage import Job
from mm_model.store.atomic import Document
from mm_model.tracking.spool import NO_RUNS, MlflowRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_RUN_SECONDS = 20.0
"""How long a registration waits until the tracking store knows the run it belongs to."""
_LONGEST = 5000
"""Of a description, in characters: what MLflow's databases keep."""
_MODEL = """Videos of one person from 1 to 4 photographs and a sentence (arXiv 2501.03931).

Each version is one release. Its description is its model card, and its source run the pipeline that
made it. `python -m mm_model serve` serves the version with the alias `champion`; what a request and
a reply hold stands in `mlflow/README.md` of the project."""


@dataclass(frozen=True)
class Announcement:
    """`runs` of MLflow that a version came from, and its `description` in Markdown."""

    runs: MlflowRuns = NO_RUNS
    description: str | None = None

    @property
    def source_run(self) -> str | None:
        """The pipeline's run; the stage's own where it was run alone."""
        return self.runs.pipeline or self.runs.own

    @property
    def tags(self) -> dict[str, str]:
        """The stage's run, which registered it."""
        return {"register_run_id": self.runs.own} if self.runs.own else {}


def of_job(job: Job, metrics: Document) -> Announcement:
    """What is to be shown of the version that this job registers."""
    return Announcement(job.tracker.runs(_RUN_SECONDS), _description(job, metrics))


def _description(job: Job, metrics: Document) -> str | None:
    """The model card without its header; None where the adapter does not describe itself."""
    from mm_model.nn.injection import files
    from mm_model.register import model_card, repository
    from mm_model.register.people import candidate
    from mm_model.register.tags import of_job as terms_of

    adapter, terms = job.inputs[candidate(metrics)] / "adapter", terms_of(job)
    try:
        parameters = repository.numbers_in(adapter)
        config, sha256 = files.read_description(adapter)
        rules = job.profile.serve
        facts = model_card.AdapterFacts(
            config=config,
            parameters=parameters,
            sha256=sha256,
            terms=terms,
            licence=model_card.licence_of(terms),
            base_model=model_card.base_of(str(config.get("family"))),
            metrics=metrics,
            release=None,
            sampling={
                "steps": rules.default_steps,
                "guidance": rules.default_guidance,
                "fps": job.profile.model.fps,
            },
            face_guidance=job.profile.evaluate.face_guidance,
            face_size=job.profile.faces.detection_size,
        )
        return model_card.in_short(facts)[:_LONGEST]
    except (UserError, OSError, LookupError, TypeError, ValueError) as error:
        job.say(f"note: the version gets no description ({first_line(error)}).")
        return None


def complete(client: "MlflowClient", version: "ModelVersion", said: Announcement) -> None:
    """Describe a version that nobody described, and its model."""
    if said.description and not version.description:
        client.update_model_version(version.name, version.version, said.description)
    if not client.get_registered_model(version.name).description:
        client.update_registered_model(version.name, _MODEL)
