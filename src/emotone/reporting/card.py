"""The model card: what a model learnt, how well it does, what it must not be used for."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from emotone.errors import UsageError
from emotone.experiments.crossval import CONFIG, RESULTS
from emotone.reporting.rendering import protocol_name, template

SYSTEMS = {
    "crnn": "this network",
    "acrnn-3d": "3-D ACRNN",
    "compare": "ComParE 2016 + SVM",
    "egemaps": "eGeMAPSv02 + SVM",
}


def render(
    title: str,
    model: dict[str, Any],
    results: Sequence[dict[str, Any]],
    *,
    licence: str = "",
    robustness: dict[str, Any] | None = None,
) -> str:
    """Render ``MODEL_CARD.md``.

    Args:
        title: name of the model.
        model: what its ``config.json`` says, see
            :class:`emotone.inference.model_folder.ModelConfig`.
        results: rows of the table of results, see :func:`rows_of`; one of another system may have
            ``minus``, a :class:`emotone.evaluation.metrics.Comparison` of this model's UAR to its.
        licence: a sentence about the licence of the weights.
        robustness: rows of changes of the input and columns of corpora.
    """
    text = template("card.md.j2").render(
        title=title,
        loaded=json.dumps(title),
        labels=list(model["labels"]),
        made=model["training"],
        parameters=model["training"]["parameters"],
        results=list(results),
        compared=any("minus" in row for row in results),
        licence=licence or "The licence of the weights follows from those of the corpora.",
        robustness=robustness,
    )
    return text + "\n"


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Figures of a results folder for a model card: of all corpora together, and of each.

    There is no row of them together if each was tested after learning the others.

    Returns:
        Rows of corpus, what was tested, system, number of seeds, and UAR and WAR as shares.

    Raises:
        UsageError: if the folder holds no results.
    """
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        settings = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(
            f"{folder} holds no finished results; give the --out of emotone crossval"
        ) from error
    model = settings["model"]
    system = SYSTEMS[model.get("functionals", model.get("kind", "crnn"))]
    common = {"system": system, "seeds": len(results["seeds"])}
    corpora = results.get("by_corpus", {})
    if results["protocol"]["name"] == "cross_corpus":
        tested = "new corpus, after learning the others"
        parts = corpora
    else:
        tested = f"new speakers, {protocol_name(results['protocol'])}"
        parts = {results["corpus"].replace("+", " + "): results}
        parts |= {f"of these, {name}": rates for name, rates in corpora.items()}
    return [
        common | {"corpus": name, "tested": tested, "UAR": rates["UAR"], "WAR": rates["WAR"]}
        for name, rates in parts.items()
    ]
