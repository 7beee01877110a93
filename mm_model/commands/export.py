"""The command `export`: an adapter as a folder with a model card, ready to be pushed to a hub."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.generate.model import CHAMPION, Choice, chosen
from mm_model.errors import UserError
from mm_model.store import named
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout, repository_root

if TYPE_CHECKING:
    from mm_model.register.model_card import AdapterFacts, HubLicence
    from mm_model.settings import Profile
    from mm_model.terms.weights import UseTerms

_WORD = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export` to the command line."""
    command = commands.add_parser(
        "export", help="write an adapter with its model card, ready to be pushed; sends nothing"
    )
    command.add_argument("target", type=named.path, metavar="DIR", help="the folder to write")
    command.add_argument(
        "--adapter",
        default=CHAMPION,
        help="a release (champion, a version's number) or an adapter's folder",
    )
    command.add_argument(
        "--licence", metavar="NAME", help="of the adapter, as hubs write it: apache-2.0, other, ..."
    )
    command.add_argument(
        "--base-model", metavar="OWNER/NAME", help="the backbone's name on a hub, if it is there"
    )
    command.set_defaults(act=_export)


def _export(options: argparse.Namespace) -> None:
    from mm_model.register import repository
    from mm_model.settings import load_params, load_profile

    if options.licence is not None and not _WORD.fullmatch(options.licence):
        raise UserError(
            f"--licence is {options.licence!r}: give it as hubs write it, as in apache-2.0."
        )
    if options.base_model is not None and not _HUB_NAME.fullmatch(options.base_model):
        raise UserError(f"--base-model is {options.base_model!r}: give OWNER/NAME.")
    repository.check(options.target)
    root = repository_root()
    layout = Layout(root, load_params(root).profile)
    choice = chosen(layout, options.adapter)
    adapter = choice.folders["adapter"]
    profile = load_profile(root, layout.profile)
    facts = _facts(layout, choice, profile, options.licence, options.base_model)
    repository.write(adapter, facts, options.target)
    licence = facts.licence.own or facts.licence.name
    print(f"{options.target}: {facts.parameters:,} numbers, licence {licence}; nothing was sent.")


def _facts(
    layout: Layout, choice: Choice, profile: "Profile", licence: str | None, base: str | None
) -> "AdapterFacts":
    from mm_model.nn.injection import files
    from mm_model.register import model_card, repository

    adapter = choice.folders["adapter"]
    parameters = repository.numbers_in(adapter)
    config, sha256 = files.read_description(adapter)
    terms = _terms(layout, choice)
    served = choice.config
    return model_card.AdapterFacts(
        config=config,
        parameters=parameters,
        sha256=sha256,
        terms=terms,
        licence=_licence(terms, licence),
        base_model=base or model_card.base_of(str(config.get("family"))),
        metrics=_metrics(layout, choice),
        release=choice.release,
        sampling={
            "steps": served.serve.default_steps,
            "guidance": served.serve.default_guidance,
            "fps": served.fps,
        },
        face_guidance=served.face_guidance,
        face_size=served.detection.detection_size,
    )


def _licence(terms: "UseTerms", given: str | None) -> "HubLicence":
    """The one that was given, unless the terms forbid it.

    Raises:
        UserError: weights or pictures are for research only, and the licence says otherwise.
    """
    from mm_model.register import model_card
    from mm_model.terms.weights import Use

    settled = model_card.licence_of(terms)
    if given is None:
        return settled
    if terms.use is Use.RESEARCH and given != settled.name and "-nc" not in given:
        raise UserError(
            f"The adapter is for research only, because of {terms.because}: leave --licence out, "
            "or give one that excludes commercial use, as in cc-by-nc-4.0."
        )
    return settled if given == settled.name else model_card.HubLicence(given)


def _metrics(layout: Layout, choice: Choice) -> Document | None:
    """The evaluation of just this adapter; None where there is none."""
    if choice.release is not None:
        path = choice.folders["adapter"].parents[1] / "evaluation" / "metrics.json"
    else:
        path = layout.output("evaluate") / "metrics.json"
    if not path.is_file():
        return None
    said = json.loads(path.read_text("utf-8"))
    measured = (said.get("measured") or {}).get("adapter")
    return said if measured == choice.config.digests["adapter"] else None


def _terms(layout: Layout, choice: Choice) -> "UseTerms":
    """As the registry holds them of a release; of an output of this tree, as it lies here."""
    from mm_model.settings import load_params
    from mm_model.terms.model import of_adapter
    from mm_model.terms.weights import Use, UseTerms

    if choice.release is not None:
        from mm_model.commands.releases import rules
        from mm_model.register import versions

        model = rules(layout).model_name
        with versions.registry(layout, reading=True) as client:
            tags = client.get_model_version(model, choice.release).tags
        if tags.get("terms") in set(Use):
            return UseTerms(Use(tags["terms"]), tags.get("terms_because", "what it comes from"))
        return UseTerms(Use.UNKNOWN, "the release not saying what it comes from")
    outputs = [layout.output(stage).resolve() for stage in ("pretrain", "finetune")]
    if any(Path(choice.folders["adapter"]).resolve().is_relative_to(one) for one in outputs):
        return of_adapter(layout, load_params(layout.root))
    return UseTerms(Use.UNKNOWN, "the adapter not being one that this tree trained")
