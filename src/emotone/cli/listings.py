"""``emotone models`` and ``emotone config``: what there is to choose from."""

import json as json_format
from dataclasses import asdict
from typing import Annotated

import typer

from emotone.cli.corpora import Json
from emotone.errors import UsageError


def models(*, json: Json = False) -> None:
    """List the models at hand: those that ship, and those of the Hugging Face Hub in the cache.

    Each with its emotions, training data, size, UAR, licence and confidence threshold. Any of
    these names, or a model folder, is what --model and emotone.load take.

    Examples:
        emotone models
        emotone models --json
    """
    from emotone.cli.model_tables import show_models
    from emotone.inference.model_list import models

    found = models()
    if json:
        print(json_format.dumps([one.as_dict() for one in found], indent=1, ensure_ascii=False))
    else:
        show_models(found)


def config(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]", help="Section or option, such as training; by default all."
        ),
    ] = None,
    *,
    template: Annotated[
        str | None,
        typer.Option(
            "--yaml",
            metavar="NAME",
            help="Print a commented configuration for a corpus, a table or a shipped name.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the options of experiments: name, type, range, default and meaning.

    Each can be set in a configuration file, or as KEY=VALUE with crossval, train, adapt, ablate,
    search and demo.

    Examples:
        emotone config training.augment
        emotone config --yaml iemocap > iemocap.yaml
    """
    from emotone.experiments.option_list import all_options, matching
    from emotone.experiments.option_template import template as written
    from emotone.experiments.sources import configuration

    if template is not None:
        if key is not None or json:
            raise UsageError("--yaml cannot be combined with KEY or --json")
        print(written(configuration(template)), end="")
        return
    options = all_options() if key is None else matching(key)
    if json:
        print(json_format.dumps([asdict(one) for one in options], indent=1, ensure_ascii=False))
    else:
        from emotone.cli.model_tables import show_options

        show_options(options)
