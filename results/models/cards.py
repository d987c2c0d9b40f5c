"""Write the cards of the shipped models from the results in this folder.

    python results/models/cards.py

`make models` makes the results.
"""

import json
from pathlib import Path

from emotone.evaluation.results_folder import ResultsFolder
from emotone.inference import model_folder
from emotone.reporting import card
from emotone.reporting.card import Effect, EvaluationRow, Robustness

HERE = Path(__file__).parent
LICENCE = (
    "The weights are licensed CC BY-NC-SA 4.0, as RAVDESS and nEMO require; EMO-DB is free to use. "
    "The code of emotone is MIT."
)
FOLDERS: dict[str, dict[str, str | None]] = {  # results folders, and those of the compared system
    "emotone-base": {"kfold": "kfold-compare", "cross-corpus": "cross-corpus-compare"},
    "emotone-8": {"kfold": None},
}
ROBUSTNESS = {"emotone-base": "robustness.json"}


def rendered(name: str) -> str:
    """The card of a model."""
    text = (model_folder.MODELS / name / model_folder.CONFIG).read_text(encoding="utf-8")
    rows: list[EvaluationRow] = []
    for ours, theirs in FOLDERS[name].items():
        folder = ResultsFolder(HERE / name / ours)
        rows += card.evaluation_rows(folder.results())
        if theirs is not None:
            rows += card.compared_rows(folder, ResultsFolder(HERE / name / theirs))
    robustness = _robustness(HERE / ROBUSTNESS[name]) if name in ROBUSTNESS else None
    return card.render(name, json.loads(text), rows, licence=LICENCE, robustness=robustness)


def _robustness(path: Path) -> Robustness:
    """What ``robustness.py`` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    of_corpora = list(found.values())
    changes = [name for name, value in of_corpora[0].items() if isinstance(value, dict)]
    return Robustness(
        [
            f"{name} ({values['speakers']} speakers, {values['utterances']} utterances)"
            for name, values in found.items()
        ],
        {
            change: [
                Effect(values[change]["unchanged"], values[change]["UAR"]) for values in of_corpora
            ]
            for change in changes
        },
    )


if __name__ == "__main__":
    for each in FOLDERS:
        (model_folder.MODELS / each / model_folder.CARD).write_text(
            rendered(each), encoding="utf-8"
        )
