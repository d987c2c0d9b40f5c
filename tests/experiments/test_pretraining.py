"""A network that was trained on other corpora once is what all folds and seeds start from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotone.corpora.fingerprints import BYTES, fingerprints_in
from emotone.errors import ModelError, UsageError
from emotone.experiments import variants
from emotone.experiments.ablation import ablate
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import crossval
from emotone.experiments.shipping import train
from emotone.inference import model_folder
from emotone.inference.recognizer import Recognizer
from tests.helpers import ABLATION, TINY, Recorder, config, predictions

pytestmark = pytest.mark.slow
SETS = {"a": ("anger", "neutral"), "b": ("anger", "fear")}
ACRNN = {"kind": "acrnn-3d", "first_channels": 2, "channels": 2, "convolutions": 2, "linear": 4,
         "lstm": 3, "hidden": 3}  # fmt: skip


@pytest.fixture
def tables(make_table: Callable[..., Path]) -> list[dict[str, str]]:
    """Two corpora with labels of their own."""
    found = []
    for name, emotions in SETS.items():
        table = make_table(3, emotions, folder=name)
        found.append({"name": "table", "root": str(table.rename(table.with_name(f"{name}.csv")))})
    return found


def pretrained(tables: list[dict[str, str]], out: Path, **changes: Any) -> Path:
    """A network trained on both corpora, each with its own labels, balanced."""
    balanced = {"labels": "corpus", "class_balance": "sampling", "corpus_balance": "sampling",
                "most_per_speaker": 3}  # fmt: skip
    asked = TINY | {"corpus": tables, "protocol": {"validation_speakers": 0}} | changes
    asked |= {"training": TINY["training"] | balanced | changes.get("training", {})}
    return train(ExperimentConfig.model_validate(asked), out, Recorder())


def test_a_pretrained_network_says_what_it_heard(
    tables: list[dict[str, str]], tmp_path: Path
) -> None:
    folder = pretrained(tables, tmp_path / "before")
    model = model_folder.read(folder)
    assert model.labels == ("anger", "fear", "neutral")
    assert model.training["corpora"] == ["a", "b"]
    prints = fingerprints_in(folder)
    assert prints is not None
    assert prints.shape == (24, BYTES)
    assert "| corpora | a, b |" in (folder / model_folder.CARD).read_text(encoding="utf-8")


def test_a_network_of_some_speakers_has_not_heard_the_others(
    tables: list[dict[str, str]], tmp_path: Path
) -> None:
    some = {"validation_speakers": 0, "training_speakers": 2}
    folder = pretrained(tables, tmp_path / "before", protocol=some)
    training = model_folder.read(folder).training
    assert [name[0] for name in sorted(training["speakers"]["training"])] == ["a", "b"]
    assert training["utterances"] == 8
    prints = fingerprints_in(folder)
    assert prints is not None
    assert prints.shape == (8, BYTES)


def test_all_folds_and_seeds_start_from_the_one_network(
    tables: list[dict[str, str]], make_table: Callable[..., Path], tmp_path: Path
) -> None:
    folder, table = pretrained(tables, tmp_path / "before"), make_table()
    start = {"model": str(folder), "convolution_rate": 0.1, "head_epochs": 1}
    recorder = Recorder()
    results = crossval(config(table, seeds=[0, 1], pretraining=start), tmp_path / "out", recorder)
    assert sorted(recorder.runs) == [f"fold {n}, seed {s}" for n in "12" for s in "01"]
    assert results.independence == "speaker-independent, pre-trained on a+b"
    plain = crossval(config(table, seeds=[0, 1]), tmp_path / "plain", Recorder())
    assert plain.system.pretrained_on is None
    assert not predictions(tmp_path / "out")["p_anger"].equals(
        predictions(tmp_path / "plain")["p_anger"]
    )


def test_variants_share_the_network_wherever_it_is(
    tables: list[dict[str, str]], make_table: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pretrained(tables, tmp_path / "before")
    values = {"base": ABLATION["base"], "references": ["from scratch"]}
    values |= {"ingredients": {"pre-trained": {"pretraining": {"model": str(folder)}}}}
    slowly = {"pretraining.convolution_rate": 0.1}
    values |= {
        "variants": {
            "from scratch": [], "pre-trained": ["pre-trained"], "slow": ["pre-trained", slowly]
        }
    }  # fmt: skip
    path = tmp_path / "ablation.yaml"
    path.write_text(json.dumps(values))
    root = f"corpus={{name: table, root: {make_table()}}}"
    results = ablate(variants.load(path, [root]), tmp_path / "out", Recorder())
    assert [row.system.pretrained_on for row in results.rows] == [None, "a+b", "a+b"]
    folder.rename(tmp_path / "moved")
    path.write_text(json.dumps(values).replace(str(folder), str(tmp_path / "moved")))
    again = Recorder()
    assert ablate(variants.load(path, [root]), tmp_path / "out", again) == results
    assert again.left == 0


def test_a_network_that_padding_disturbs_can_be_started_from(
    tables: list[dict[str, str]], make_table: Callable[..., Path], tmp_path: Path
) -> None:
    cut = {"segment_s": 0.2, "crop": 1.0, "segment_answer": "max"}
    folder = pretrained(tables, tmp_path / "before", model=ACRNN, training=cut)
    assert not (folder / model_folder.ONNX).exists()
    with pytest.raises(ModelError, match=r"has no model\.onnx; it can only be started from"):
        Recognizer(folder)
    assert "cannot recognise by itself" in (folder / model_folder.CARD).read_text(encoding="utf-8")
    training, start = TINY["training"] | cut, {"model": str(folder)}
    asked = config(make_table(), model=ACRNN, training=training, pretraining=start)
    assert crossval(asked, tmp_path / "out", Recorder()).system.pretrained_on == "a+b"
    columns = ["p_anger", "p_neutral"]
    np.testing.assert_allclose(predictions(tmp_path / "out")[columns].sum(axis=1), 1, atol=1e-5)


def test_networks_that_do_not_fit_are_refused(
    tables: list[dict[str, str]], make_table: Callable[..., Path], tmp_path: Path
) -> None:
    start = {"model": str(pretrained(tables, tmp_path / "before"))}
    features = TINY["features"] | {"deltas": 2}
    with pytest.raises(
        UsageError, match=r"another network \(features\.deltas: 1 found, 2 requested"
    ):
        crossval(
            config(make_table(), features=features, pretraining=start), tmp_path / "0", Recorder()
        )
    others = make_table(emotions=("calm", "sadness"), folder="others")
    with pytest.raises(
        UsageError,
        match=r"before knows anger, fear, neutral, none of the labels of table \(calm, sadness\)",
    ):
        crossval(config(others, pretraining=start), tmp_path / "1", Recorder())
    allowed = config(others, pretraining=start | {"allow_other_labels": True})
    assert crossval(allowed, tmp_path / "2", Recorder()).system.pretrained_on == "a+b"


def test_a_corpus_that_it_heard_is_refused_by_name(
    tables: list[dict[str, str]], tmp_path: Path
) -> None:
    start = {"model": str(pretrained(tables, tmp_path / "before"))}
    table = Path(tables[0]["root"])
    split = {"name": "kfold", "folds": 2, "validation_speakers": 0}
    asked = {"pretraining": start, "protocol": split}
    with pytest.raises(
        UsageError, match=r"before was trained on \d speakers of a \(s0, s1, s2(, …)?\); leave"
    ):
        crossval(config(table, **asked), tmp_path / "out", Recorder())
    renamed = table.rename(table.with_name("c.csv"))
    with pytest.raises(
        UsageError,
        match=r"12 of 12 utterances of c were in the training of before: .*of the speakers s0, s1,",
    ):
        crossval(config(renamed, **asked), tmp_path / "renamed", Recorder())
