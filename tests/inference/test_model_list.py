"""The list of models says what their files say."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from emotone.errors import ModelError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.inference import model_folder
from emotone.inference.model_list import NOT_STATED, Evaluation, listed, models

RESULTS = Path(__file__).parents[2] / "results" / "models" / "emotone-base" / "cross-corpus"
BASE = model_folder.MODELS / "emotone-base"


def test_the_shipped_models_come_first_with_the_facts_of_their_cards() -> None:
    base, eight = models()[:2]
    assert (base.name, eight.name) == ("emotone-base", "emotone-8")
    assert base.labels == ("anger", "happiness", "neutral", "sadness")
    assert len(base.corpora) == 7
    assert base.speakers == 123
    assert base.megabytes == pytest.approx((BASE / "model.onnx").stat().st_size / 1e6, abs=0.05)
    assert base.licence.startswith("The weights are for research, not for commercial use")
    aesdd = ResultsFolder(RESULTS).results().by_corpus["aesdd"].uar
    low, high = (f"{100 * end:.1f}" for end in aesdd.interval_95)
    uar = f"{100 * aesdd.mean:.1f} [{low}, {high}]"
    assert base.evaluation[0] == Evaluation("aesdd", "leave-one-corpus-out", uar)
    assert [row.corpus for row in base.evaluation] == list(base.corpora)
    assert base.confident_from == round(model_folder.read(BASE).confident_from, 2)
    assert eight.licence.startswith("The weights are licensed CC BY-NC-SA 4.0")
    assert len(eight.evaluation) == 1


def test_a_model_with_little_to_say_is_listed_too(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    (folder / "MODEL_CARD.md").unlink()
    found = listed(folder, "mine", "cached")
    assert (found.licence, found.evaluation) == (NOT_STATED, ())
    with pytest.raises(ModelError, match="is not a model folder"):
        listed(tmp_path, "none", "cached")


@pytest.mark.parametrize(
    ("training", "speakers", "parameters"),
    [
        ({"speakers": {"training": ["a", "b"]}, "parameters": 9}, 2, 9),
        ({"speakers": {"validation": ["a"]}, "parameters": "9"}, None, None),
        ({}, None, None),
    ],
)
def test_a_strange_description_is_no_obstacle(
    tmp_path: Path, training: dict[str, object], speakers: int | None, parameters: int | None
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    (folder / "MODEL_CARD.md").write_bytes(
        b"\xe9\n\n| a | b | c | 12 [1, 2] |\n| a | b | c | 1x |\n"
    )
    config = json.loads((folder / "config.json").read_text())
    config["training"] = {"corpora": ["emodb"], **training}
    (folder / "config.json").write_text(json.dumps(config))
    found = listed(folder, "mine", "cached")
    assert (found.speakers, found.parameters) == (speakers, parameters)
    assert found.evaluation == (Evaluation("a", "b", "12 [1, 2]"),)


def test_models_in_the_cache_of_the_hub_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs emotone[hub]")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")

    def made(name: str, folder: Path) -> SimpleNamespace:
        revision = SimpleNamespace(refs=frozenset({"main"}), snapshot_path=folder)
        return SimpleNamespace(repo_id=name, revisions=[revision])

    found = SimpleNamespace(repos=[made("some/speech", BASE), made("another/bert", other)])
    monkeypatch.setattr(hub, "scan_cache_dir", lambda: found)
    assert [(one.name, one.source) for one in models()[2:]] == [("some/speech", "cached")]
