"""A model folder to the Hugging Face Hub, with the metadata that the Hub reads from a card."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotone.errors import ModelError, UsageError
from emotone.inference import model_folder
from emotone.inference.model_list import Evaluation, listed

README = "README.md"  # the name of a card on the Hub
NOT_COMMERCIAL = "cc-by-nc-sa-4.0"  # the Hub's name of the licence
MADE_OF = (model_folder.WEIGHTS, model_folder.FINGERPRINTS)  # files that a model may lack


@dataclass(frozen=True)
class Upload:
    """What goes up: contents by name in the repository."""

    repository: str
    files: dict[str, bytes]


def prepared(folder: Path, repository: str) -> Upload:
    """Check a model folder and return the files of it that go up, the card with its metadata.

    Only the files of a model go up, whatever else is in the folder.

    Args:
        folder: model folder.
        repository: id of the repository, such as ``organisation/name``.

    Raises:
        UsageError: if the id cannot be one.
        ModelError: if the folder is no model, one that cannot recognise, has no card, or a file is
            damaged.
    """
    if not model_folder.HUB_ID.fullmatch(repository):
        raise UsageError(f"expected ORG/NAME of the Hugging Face Hub, got {repository}")
    config = model_folder.read(folder)
    names = [model_folder.ONNX, *(name for name in MADE_OF if name in config.sha256)]
    files = {name: model_folder.content(folder, name, config) for name in names}
    files[model_folder.CONFIG] = (folder / model_folder.CONFIG).read_bytes()
    card = model_folder.card(folder)
    if not card or "\0" in card:
        raise ModelError(
            f"{folder / model_folder.CARD} is missing or cannot be read as text; it says licence "
            "and figures, without which no model goes up: copy the folder again, or write one"
        )
    files[model_folder.CARD] = card.encode()
    files[README] = (metadata(folder, repository, config.training) + card).encode()
    return Upload(repository, files)


def metadata(folder: Path, repository: str, training: dict[str, Any]) -> str:
    """Return the YAML that begins a card on the Hub: licence, languages, corpora, results."""
    model = listed(folder, repository, "")
    noncommercial = "CC BY-NC-SA 4.0" in model.licence
    fields: dict[str, Any] = {
        "license": NOT_COMMERCIAL if noncommercial else "other",
        "language": list(training.get("languages", ())),
        "datasets": list(model.corpora),
        "metrics": ["recall"],  # UAR is the macro average of it
        "library_name": "emotone",
        "pipeline_tag": "audio-classification",
        "tags": ["speech-emotion-recognition", "onnx"],
    }
    if not noncommercial:
        fields["license_name"] = "see-model-card"
    if model.evaluation:
        fields["model-index"] = [{"name": repository, "results": _results(model.evaluation)}]
    # JSON is YAML, and quotes what would mean something in it
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def _results(rows: Sequence[Evaluation]) -> list[dict[str, Any]]:
    return [
        {
            "task": {"type": "audio-classification", "name": "Speech emotion recognition"},
            "dataset": {"type": row.corpus, "name": f"{row.corpus}, {row.protocol}"},
            "metrics": [
                {
                    "type": "recall",
                    "name": f"UAR in %: {row.uar}",
                    "value": float(row.uar.split()[0]),
                }
            ],
        }
        for row in rows
    ]


def publish(upload: Upload, *, private: bool = False) -> str:
    """Create the repository if there is none, and upload in one commit.

    The token is that which ``huggingface_hub`` finds: ``HF_TOKEN``, or that of ``hf auth login``.

    Args:
        upload: see :func:`prepared`.
        private: whether a new repository is private.

    Returns:
        Address of the repository.

    Raises:
        ModelError: if the Hub cannot be reached or refuses it; says what to do.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        address = api.create_repo(upload.repository, private=private, exist_ok=True)
        operations = [CommitOperationAdd(name, data) for name, data in upload.files.items()]
        api.create_commit(upload.repository, operations, commit_message="emotone publish")
    except HfHubHTTPError as error:
        raise _refused(upload.repository, error.response.status_code, str(error)) from error
    except Exception as error:  # of many kinds, from many libraries
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"cannot reach the Hugging Face Hub ({reason[0] if reason else type(error).__name__}); "
            "check the network, then run the same command again"
        ) from error
    return str(address)


def _refused(repository: str, status: int, reason: str) -> ModelError:
    advice = {
        401: "it asks for a valid token; run hf auth login, or set HF_TOKEN",
        403: "the token may not write there; use one with write access to the organisation",
        404: "there is no such organisation or repository for this token; check the name",
    }.get(status)
    lines = reason.strip().splitlines()
    return ModelError(
        f"the Hugging Face Hub refuses {repository} (HTTP {status}): "
        + (advice or f"{lines[0] if lines else 'no reason given'}; try again later")
    )
