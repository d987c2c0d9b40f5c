import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotone.errors import UsageError
from emotone.experiments import variants
from emotone.experiments.config import load
from emotone.experiments.overrides import PRESETS
from emotone.inference import model_folder
from emotone.models.acrnn import Acrnn3dOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network, multiply_adds
from tests.helpers import ABLATION

BAD: list[tuple[dict[str, Any], str]] = [
    (
        {"variants": {"a": [], "b": ["sumary"]}},
        "variant 'b': unknown ingredient 'sumary'; did you mean 'summary'?",
    ),
    (
        {"references": ["basline"]},
        ".yaml: references: unknown variant 'basline'; did you mean 'baseline'?",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lstm": 4}]}},
        "variant 'b' changes nothing; leave it out",
    ),
    (
        {"variants": {"baseline": [], "a b": ["deltas"], "A-b": ["summary"]}},
        "variants 'a b' and 'A-b' would share the folder a-b; rename one",
    ),
    (
        {"variants": {"baseline": [], "b": ["deltas"], "c": [{"features.deltas": 2}]}},
        "variants 'b' and 'c' are equal; leave one out",
    ),
    (
        {"variants": {"baseline": [], "b": [{"protocol.folds": 3}]}},
        "variant 'b' changes protocol.folds; variants share corpus, protocol and runtime",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lsmt": 3}]}},
        "variant 'b': unknown option 'model.lsmt'; did you mean 'lstm'?",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.kind": "acrn"}]}},
        "model.kind must be one of acrnn-3d, crnn, opensmile-svm, ssl, got 'acrn'",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lstm": 5, "seeds": [3]}]}},
        "uses seed 3, which is not one of the base's seeds",
    ),
    ({"base": ABLATION["base"] | {"seeds": [1, 1]}}, "give at least one seed, each once"),
    (
        {"variants": {"baseline": []}},
        "variants: dictionary should have at least 2 items after validation, not 1, got {",
    ),
    ({"refrences": ["a"]}, "unknown option 'refrences'; did you mean 'references'?"),
    (
        {"referenes": ["a"], "references": 3},
        "unknown option 'referenes'; did you mean 'references'?",
    ),
    ({"references": "a"}, "references: expected a list, such as [a], got 'a'"),
    ({"extends": 3}, "extends must name another file beside it, or one that ships, got 3"),
    ({"extends": "a\0b"}, r"or one that ships, got 'a\x00b'"),
    ({"extends": "gone"}, "gone: cannot read this configuration (No such file or directory)"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_wrong_files_are_refused(
    write: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        variants.load(write(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_experiment_is_no_ablation(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    with pytest.raises(UsageError, match="this is not an ablation"):
        variants.load(PRESETS / "emodb.yaml")
    for values in ({"corpus": {"name": "emodb"}}, {"training": {"epochs": 3}}):
        path.write_text(json.dumps(values))
        with pytest.raises(UsageError, match=r"this is not an ablation.*or use emotone crossval"):
            variants.load(path)
    path.write_text(json.dumps({"corpus": {"name": "emodb"}, "variant": {}}))
    with pytest.raises(UsageError, match=r"unknown option '(corpus|variant)'"):
        variants.load(path)


def test_a_misspelt_key_is_named_rather_than_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for wrong, right in (("variant", "variants"), ("bas", "base"), ("reference", "references")):
        rows = {"base": {}, "variants": {"a": [], "b": []}, "references": ["a"]}
        path.write_text(json.dumps({wrong if key == right else key: v for key, v in rows.items()}))
        with pytest.raises(UsageError) as caught:
            variants.load(path)
        assert f"unknown option '{wrong}'; did you mean '{right}'?" in str(caught.value)


def test_what_a_variant_changes_of_an_ingredient_is_its_own(write: Callable[..., Path]) -> None:
    ingredients = {"longer": {"training": {"epochs": 1}}}
    longest = ["longer", {"training.epochs": 2}]
    rows = {"baseline": [], "longest": longest, "longer": ["longer"]}
    loaded = variants.load(write(ingredients=ingredients, variants=rows))
    assert [each.training.epochs for each in loaded.variants.values()] == [3, 2, 1]


def test_a_file_may_extend_another(tmp_path: Path, write: Callable[..., Path]) -> None:
    write().rename(tmp_path / "common.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: common.yaml\nbase: {seeds: [5]}\nvariants: {both: [summary, deltas]}")
    loaded = variants.load(path, ["training.epochs=2"])
    assert list(loaded.variants) == list(ABLATION["variants"])
    assert {variant.seeds for variant in loaded.variants.values()} == {(5,)}
    assert {variant.training.epochs for variant in loaded.variants.values()} == {2}
    path.write_text("extends: mine.yaml")
    with pytest.raises(UsageError, match="extends must name another file"):
        variants.load(path)
    path.write_text("extends: yours.yaml")
    (tmp_path / "yours.yaml").write_text("extends: mine.yaml")
    with pytest.raises(UsageError, match="extends must name another file"):
        variants.load(path)


@pytest.mark.parametrize("name", ["ablation-emodb", "ablation-emodb.yaml"])
def test_a_file_may_extend_one_that_ships(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {name}\nbase: {{seeds: [0, 1, 2, 3, 4]}}")
    shipped = variants.load(PRESETS / "ablation-emodb.yaml")
    assert variants.load(path).identity() == shipped.identity()
    copy = tmp_path / "copy.yaml"  # it extends ablation.yaml
    copy.write_bytes((PRESETS / "ablation-emodb.yaml").read_bytes())
    assert variants.load(copy).identity() == shipped.identity()
    (tmp_path / name).write_text("extends: mine.yaml")  # that beside it comes first
    with pytest.raises(UsageError, match="extends must name another file"):
        variants.load(path)


def test_a_variant_of_an_extended_file_can_be_left_out(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    write().rename(tmp_path / "common.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: common.yaml\nvariants: {both: null}")
    assert list(variants.load(path).variants) == ["baseline", "baseline + summary"]
    path.write_text("extends: common.yaml\nvariants: {baseline: null}")
    with pytest.raises(UsageError, match="references: unknown variant 'baseline'"):
        variants.load(path)


MAIN = {"baseline", "all four", "default, from scratch", "ComParE 2016 + SVM", "eGeMAPSv02 + SVM"}
INGREDIENTS = ["multi-kernel", "summary", "features", "training"]
ALONE = {f"baseline + {one}" for one in INGREDIENTS}


@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "savee", "emovo", "nemo"])
def test_the_shipped_ablations_hold_the_papers_table(corpus: str) -> None:
    loaded = variants.load(PRESETS / f"ablation-{corpus}.yaml")
    rows = loaded.variants
    assert rows.keys() >= MAIN
    assert rows.keys() >= ALONE or corpus in ("emovo", "nemo")
    assert ("3-D ACRNN" in rows) == (corpus in ("emodb", "ravdess"))
    for name in ("baseline", "all four", "default, from scratch"):
        assert rows[name].seeds == (0, 1, 2, 3, 4)
    assert all(len(rows[name].seeds) == 3 for name in rows.keys() & ALONE)
    trained = {row.training.epochs for name, row in rows.items()
               if row.model.kind == "crnn" and not name.endswith("120 epochs")}  # fmt: skip
    assert trained == {40}
    of_networks = {row.training.most_per_speaker for row in rows.values() if row.model.is_network}
    assert of_networks == ({60} if corpus == "nemo" else {None})


def test_rows_are_what_they_are_called() -> None:
    rows = variants.load(PRESETS / "ablation-emodb.yaml").variants
    paper, default = load(PRESETS / "paper.yaml"), load(PRESETS / "emodb.yaml")
    assert rows["all four"].identity() | {"seeds": [0]} == paper.identity()
    assert isinstance(paper.model, CrnnOptions)
    assert len(paper.model.kernel_widths) > 1
    trained_longer = rows["default, from scratch, 120 epochs"]
    assert trained_longer.identity() | {"seeds": [0]} == default.identity()
    shorter = default.training.model_copy(update={"epochs": 40, "patience": 40})
    assert rows["default, from scratch"].training == shorter
    for name in ("features", "model"):
        assert getattr(rows["default, from scratch"], name) == getattr(default, name)
    acrnn = rows["3-D ACRNN"]
    assert acrnn.model == Acrnn3dOptions()
    assert (acrnn.training.segment_s, acrnn.training.segment_answer) == (3.0, "max")
    assert (acrnn.training.batch, acrnn.training.learning_rate) == (40, 1e-4)
    assert (acrnn.training.batch_norm, acrnn.features.level) == ("population", "rms")


@pytest.mark.parametrize("name", [path.stem for path in PRESETS.glob("*.yaml")])
def test_every_shipped_file_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks to start from need not be there."""
    monkeypatch.setattr(model_folder, "locate", lambda asked: model_folder.MODELS / "emotone-8")
    text = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    if name in ("ablation", "choices"):  # parts of other files
        assert any(f"extends: {name}.yaml" in path.read_text() for path in PRESETS.glob("*.yaml"))
    elif re.search(r"^(extends|variants):", text, re.MULTILINE):
        for row in variants.load(name).variants.values():
            assert row.pretraining is None or row.model.is_network
    else:
        assert load(PRESETS / f"{name}.yaml").corpus


def test_pretrained_rows_start_from_networks_like_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folder, "locate", lambda asked: model_folder.MODELS / "emotone-8")
    rows = variants.load(PRESETS / "benchmark-acrnn-emodb.yaml").variants
    for name, before in (("default", "pretraining"), ("3-D ACRNN", "pretraining-acrnn")):
        row, start = rows[f"{name}, pre-trained"], load(PRESETS / f"{before}.yaml")
        assert row.pretraining is not None
        assert (row.features, row.model) == (start.features, start.model)
        assert start.training.labels == "corpus"
        to_its_end = {"default": "default, from scratch, 120 epochs", "3-D ACRNN": "3-D ACRNN"}
        scratch = rows[to_its_end[name]]
        assert row.training.epochs <= scratch.training.epochs / 3
    assert rows.keys() >= {*MAIN, *ALONE, "3-D ACRNN"}


def test_the_multi_kernel_ingredient_is_compared_at_equal_size() -> None:
    loaded = variants.load(PRESETS / "ablation-emodb.yaml").variants
    sizes = []
    for name in ("baseline", "baseline + multi-kernel"):
        asked = loaded[name]
        assert isinstance(asked.model, CrnnOptions)
        network = Network(asked.features, asked.model, ["anger", "neutral"])
        sizes.append((sum(p.numel() for p in network.parameters()), multiply_adds(network)))
    (one, cost), (several, their_cost) = sizes
    assert several == pytest.approx(one, rel=0.01)
    assert their_cost == pytest.approx(cost, rel=0.02)
