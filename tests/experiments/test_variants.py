from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotone.errors import UsageError
from emotone.experiments import variants
from emotone.experiments.config import load
from emotone.experiments.overrides import PRESETS
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
        "references: unknown variant 'basline'; did you mean 'baseline'?",
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
        "model.kind must be one of acrnn-3d, crnn, opensmile-svm, got 'acrn'",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lstm": 5, "seeds": [3]}]}},
        "uses seed 3, which is not one of the base's seeds",
    ),
    ({"base": ABLATION["base"] | {"seeds": [1, 1]}}, "give at least one seed, each once"),
    ({"variants": {"baseline": []}}, "variants: Dictionary should have at least 2 items"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_wrong_files_are_refused(
    write: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        variants.load(write(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_variant_changes_of_an_ingredient_is_its_own(write: Callable[..., Path]) -> None:
    ingredients = {"longer": {"training": {"epochs": 1}}}
    longest = ["longer", {"training.epochs": 2}]
    rows = {"baseline": [], "longest": longest, "longer": ["longer"]}
    loaded = variants.load(write(ingredients=ingredients, variants=rows))
    assert [each.training.epochs for each in loaded.variants.values()] == [3, 2, 1]


def test_an_experiment_is_no_ablation() -> None:
    with pytest.raises(UsageError, match="this is not an ablation"):
        variants.load(PRESETS / "emodb.yaml")


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


@pytest.mark.parametrize("name", ["ablation-emodb", "ablation-ravdess"])
def test_the_shipped_ablations_hold_the_papers_table(name: str) -> None:
    loaded = variants.load(PRESETS / f"{name}.yaml")
    ingredients = ["multi-kernel", "summary", "features", "training"]
    expected = ["baseline", *(f"baseline + {one}" for one in ingredients), "all four"]
    expected += [f"all four − {one}" for one in ingredients]
    assert list(loaded.variants)[: len(expected)] == expected
    assert loaded.base.seeds == (0, 1, 2, 3, 4)
    # one row is the default
    default = load(PRESETS / "emodb.yaml")
    same = [
        variant
        for variant in loaded.variants.values()
        if (variant.features, variant.model, variant.training)
        == (default.features, default.model, default.training)
    ]
    assert len(same) == 1


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
