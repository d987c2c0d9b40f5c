"""Write the cards of the shipped models from the results in this folder.

Also those of the networks in results/pretrained, which committed results started from.

    python results/models/cards.py

`make models` makes the results.
"""

from pathlib import Path

from emotone.evaluation.audit_results import AUDIT
from emotone.evaluation.results_folder import ResultsFolder
from emotone.inference import model_folder
from emotone.reporting import card

HERE = Path(__file__).parent
RESEARCH = (
    "The weights are for research, not for commercial use: RAVDESS and nEMO are licensed "
    "CC BY-NC-SA 4.0, so the weights are, too; SAVEE, EMOVO and AESDD are free for research; ASED "
    "states no licence and is public, to be cited (Retta et al. 2022); EMO-DB is free to use. "
    "The code of emotone is MIT."
)
RAVDESS = "The weights are licensed CC BY-NC-SA 4.0, as RAVDESS requires. The code is MIT."
LICENCES = {"emotone-base": RESEARCH, "emotone-8": RAVDESS}
FOLDERS = {"emotone-base": "emotone-base/cross-corpus", "emotone-8": "emotone-8/kfold"}
KEPT = (
    "The weights are for research, not for commercial use, as some of the corpora are; "
    "docs/corpora.md has their licences. The code of emotone is MIT."
)
AUDITS = "audit-*/audit.json"  # in the folder of a model, one for each corpus


def rendered(name: str) -> str:
    """The card of a model."""
    config = model_folder.read(model_folder.MODELS / name)
    results = ResultsFolder(HERE / FOLDERS[name]).results()
    audits = [AUDIT.validate_json(path.read_bytes()) for path in sorted((HERE / name).glob(AUDITS))]
    return card.render(
        name,
        config.model_dump(mode="json"),
        card.evaluation_rows(results, config.members),
        licence=LICENCES[name],
        robustness=card.robustness(audits) if audits else None,
    )


def kept() -> list[Path]:
    """Folders of the networks to start from."""
    return sorted(path.parent for path in (HERE.parent / "pretrained").glob("*/config.json"))


def rendered_kept(folder: Path) -> str:
    """The card of a network to start from, which nothing was tested on."""
    config = model_folder.read(folder)
    return card.render(folder.name, config.model_dump(mode="json"), [], licence=KEPT)


if __name__ == "__main__":
    for network in kept():
        (network / model_folder.CARD).write_text(rendered_kept(network), encoding="utf-8")
    for each in FOLDERS:
        (model_folder.MODELS / each / model_folder.CARD).write_text(
            rendered(each), encoding="utf-8"
        )
