"""The model card: what a model learnt, how well it does, what it must not be used for."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from emotone import evaluation, metrics
from emotone.errors import UsageError
from emotone.experiment import CONFIG, RESULTS
from emotone.rendering import protocol_name, template
from emotone.runs import PREDICTIONS

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
        model: what its ``config.json`` says, see :class:`emotone.bundle.ModelConfig`.
        results: rows of the table of results, see :func:`rows_of`.
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
        licence=licence or "The licence of the weights follows from those of the corpora.",
        robustness=robustness,
    )
    return text + "\n"


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Figures of a results folder for a model card: of all corpora together, and of each.

    There is no row of them together if each was tested after learning the others.

    Raises:
        UsageError: if the folder holds no results.
    """
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        settings = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        text = {"fold": str, "speaker": str}
        predictions = pd.read_csv(folder / PREDICTIONS, dtype=text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(
            f"{folder} holds no finished results; give the --out of emotone crossval"
        ) from error
    model = settings["model"]
    system = SYSTEMS[model.get("functionals", model.get("kind", "crnn"))]
    common = {"system": system, "seeds": len(results["seeds"])}
    if results["protocol"]["name"] == "cross_corpus":
        tested = "new corpus, after learning the others"
        parts = {str(fold): of_fold for fold, of_fold in predictions.groupby("fold")}
    else:
        tested = f"new speakers, {protocol_name(results['protocol'])}"
        corpora = results["corpus"].split("+")
        parts = {" + ".join(corpora): predictions}
        if len(corpora) > 1:  # whose names begin those of the speakers
            of_corpus = predictions["speaker"].str.partition("/")[0]
            parts |= {f"of these, {name}": predictions[of_corpus == name] for name in corpora}
    return [
        common | {"corpus": name, "tested": tested} | _rates(part, results["labels"])
        for name, part in parts.items()
    ]


def _rates(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    by_speaker = evaluation.confusions_by_speaker(predictions, labels)
    found = {}
    for name, rate_of in evaluation.RATES.items():
        low, high = metrics.speaker_interval(by_speaker, rate_of)
        found[name] = {"mean": float(rate_of(by_speaker.sum(axis=0))), "low": low, "high": high}
    return found
