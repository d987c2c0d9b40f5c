"""Write the cards of the models that ship, from the results beside this file.

    python results/models/cards.py

`make models` says how those results were made.
"""

import json
from pathlib import Path
from typing import Any

from emotone import bundle, card

HERE = Path(__file__).parent
LICENCE = (
    "The weights are licensed CC BY-NC-SA 4.0, as RAVDESS and nEMO ask; EMO-DB is free for use. "
    "The code of emotone is MIT."
)
RESULTS = {
    "emotone-base": ["kfold", "kfold-compare", "cross-corpus", "cross-corpus-compare"],
    "emotone-8": ["kfold"],
}
ROBUSTNESS = {"emotone-base": "robustness.json"}


def rendered(name: str) -> str:
    """The card of a model."""
    model = json.loads((bundle.MODELS / name / bundle.CONFIG).read_text(encoding="utf-8"))
    folders = [HERE / name / folder for folder in RESULTS[name]]
    rows = [row for folder in folders for row in card.rows_of(folder)]
    robustness = None
    if name in ROBUSTNESS:
        robustness = _table(json.loads((HERE / ROBUSTNESS[name]).read_text(encoding="utf-8")))
    return card.render(name, model, rows, licence=LICENCE, robustness=robustness)


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
    for each in RESULTS:
        (bundle.MODELS / each / bundle.CARD).write_text(rendered(each), encoding="utf-8")
