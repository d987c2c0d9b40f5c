"""Write the cards of the models that ship, from the results beside this file.

    python results/models/cards.py

`make models` says how those results were made.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone.evaluation import metrics
from emotone.evaluation import summary as evaluation
from emotone.experiments.crossval import RESULTS
from emotone.experiments.runs import PREDICTIONS
from emotone.inference import model_folder
from emotone.reporting import card

HERE = Path(__file__).parent
LICENCE = (
    "The weights are licensed CC BY-NC-SA 4.0, as RAVDESS and nEMO ask; EMO-DB is free for use. "
    "The code of emotone is MIT."
)
FOLDERS: dict[str, dict[str, str | None]] = {  # and those of the system to compare with
    "emotone-base": {"kfold": "kfold-compare", "cross-corpus": "cross-corpus-compare"},
    "emotone-8": {"kfold": None},
}
ROBUSTNESS = {"emotone-base": "robustness.json"}


def rendered(name: str) -> str:
    """The card of a model."""
    model = json.loads(
        (model_folder.MODELS / name / model_folder.CONFIG).read_text(encoding="utf-8")
    )
    rows = []
    for ours, theirs in FOLDERS[name].items():
        rows += card.rows_of(HERE / name / ours)
        if theirs is not None:
            rows += _compared(HERE / name / ours, HERE / name / theirs)
    robustness = None
    if name in ROBUSTNESS:
        robustness = _table(json.loads((HERE / ROBUSTNESS[name]).read_text(encoding="utf-8")))
    return card.render(name, model, rows, licence=LICENCE, robustness=robustness)


def _compared(ours: Path, theirs: Path) -> list[dict[str, Any]]:
    """Rows of another system, with the UAR of ours minus its.

    Nothing in an SVM is random, so its one seed stands for each of ours.
    """
    counts = [_counts(ours), _counts(theirs)]
    rows = card.rows_of(theirs)
    for row in rows:
        one, other = (of_parts[row["corpus"].removeprefix("of these, ")] for of_parts in counts)
        row["minus"] = metrics.compare(one, np.broadcast_to(other, one.shape))
    return rows


def _counts(folder: Path) -> dict[str, NDArray[np.int64]]:
    """Confusion counts by seed and speaker, of all corpora and of each."""
    results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    predictions = pd.read_csv(folder / PREDICTIONS, dtype={"speaker": str})
    corpora = results["corpus"].split("+")
    parts = {" + ".join(corpora): predictions}
    parts |= evaluation.split_by_corpus(predictions, corpora)
    return {
        name: np.stack([*evaluation.confusions_by_seed(rows, results["labels"]).values()])
        for name, rows in parts.items()
    }


def _table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Rows of changes and columns of corpora, from what ``robustness.py`` wrote."""
    corpora = list(found)
    changes = [name for name, value in found[corpora[0]].items() if isinstance(value, dict)]
    return {
        "corpora": [
            f"{name} ({found[name]['speakers']} speakers, {found[name]['utterances']} utterances)"
            for name in corpora
        ],
        "rows": [
            {"change": change, "of_corpora": [found[name][change] for name in corpora]}
            for change in changes
        ],
    }


if __name__ == "__main__":
    for each in FOLDERS:
        (model_folder.MODELS / each / model_folder.CARD).write_text(
            rendered(each), encoding="utf-8"
        )
