from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.features import FeatureOptions
from emotone.models.acrnn import ACRNN3D, Acrnn3dOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network
from emotone.training import datasets
from emotone.training import loop as training
from emotone.training.augmentation import AugmentOptions
from emotone.training.datasets import Spectrograms
from emotone.training.loop import Epoch, History, Learner, TrainingOptions
from tests.helpers import TINY

FEATURES = FeatureOptions.model_validate(TINY["features"])
MODEL = CrnnOptions.model_validate(TINY["model"])
OPTIONS = TrainingOptions.model_validate(TINY["training"])


@pytest.fixture
def data(make_table: Callable[..., Path], tmp_path: Path) -> Spectrograms:
    corpus = corpora.read(TableOptions(root=make_table()))
    return datasets.spectrograms(corpus, FEATURES, tmp_path / "kept")


def train(data: Spectrograms, **changes: Any) -> tuple[Network, History]:
    keywords: dict[str, Any] = {
        "features": FEATURES,
        "model": MODEL,
        "options": OPTIONS,
        "seed": 0,
    } | changes
    return training.fit(data, data.of_speakers(["s0", "s1"]), data.of_speakers(["s2"]), **keywords)


def options(**changes: Any) -> TrainingOptions:
    return TrainingOptions.model_validate(OPTIONS.model_dump() | changes)


def weights(network: Network) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in network.state_dict().values()])


def test_same_seed_same_network(data: Spectrograms) -> None:
    first, history = train(data)
    second, _ = train(data)
    other, _ = train(data, seed=1)
    assert len(history.epochs) == 3
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


VARIANTS: list[dict[str, Any]] = [
    {"class_balance": "sampling"},
    {"class_balance": "none", "label_smoothing": 0.0, "averaging": 0.0},
    {"segment_s": 0.2, "crop": 1.0, "schedule": "cosine"},
    {"schedule": "cosine"},
    {"crop": 0.6},
    {"most_per_speaker": 2},
    {"batch_norm": "population"},
    {
        "augment": {
            "speed": 0.1, "tempo": 0.1, "warp": 0.1, "noise": 0.5, "time_mask": 0.5,
            "mel_mask": 0.5, "mixup": 0.0,
        }
    },
    {"augment": {"pitch": 0.1}},
]  # fmt: skip


@pytest.mark.parametrize("changes", VARIANTS)
def test_each_way_of_training_changes_the_network_and_is_repeatable(
    data: Spectrograms, changes: dict[str, Any]
) -> None:
    plain, _ = train(data)
    changed, _ = train(data, options=options(**changes))
    again, _ = train(data, options=options(**changes))
    assert torch.isfinite(weights(changed)).all()
    assert not torch.equal(weights(plain), weights(changed))
    assert torch.equal(weights(changed), weights(again))


@pytest.mark.parametrize(
    ("device", "instructions", "expected"),
    [
        ("cpu", {"avx2": True, "avx512_bf16": False}, "32-true"),
        ("cpu", {"avx512_bf16": True}, "bf16-mixed"),
        ("auto", {"avx2": True}, "32-true"),
        ("cuda", {"avx2": True}, "bf16-mixed"),
    ],
)
def test_bfloat16_is_used_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, device: str, instructions: dict[str, bool], expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training.usable_precision("bf16-mixed", device) == expected
    assert training.usable_precision("32-true", device) == "32-true"


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_without_bfloat16_instructions_training_is_that_in_float32(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bfloat16})
    default, _ = train(data)
    float32, _ = train(data, options=options(precision="32-true"))
    again, _ = train(data, options=options(precision="32-true"))
    assert torch.equal(weights(float32), weights(again))
    assert torch.equal(weights(default), weights(float32)) != has_bfloat16


@pytest.mark.parametrize("norm", ["utterance", "enrol", "speaker"])
def test_each_norm_trains(data: Spectrograms, norm: str) -> None:
    features = FeatureOptions.model_validate(TINY["features"] | {"norm": norm})
    network, _ = train(data, features=features)
    probabilities = training.posteriors(network, data, [3, 0])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_it_learns_what_can_be_learnt(data: Spectrograms) -> None:
    """Two classes that a slope of the spectrum tells apart."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, data.values.shape)
    values += (
        np.linspace(-2, 2, values.shape[1])
        * np.repeat(2 * data.targets - 1, np.diff(data.bounds))[:, None]
    )
    data.values = values.astype(np.float32)
    still = {"warp": 0.0, "mixup": 0.0, "level_db": 0.0, "equaliser_db": 0.0}
    simple = {"label_smoothing": 0.0, "augment": still}
    network, history = train(
        data, options=options(epochs=40, learning_rate=0.02, averaging=0.5, **simple)
    )
    test = data.of_speakers(["s3"])
    prediction = training.posteriors(network, data, test).argmax(axis=1)
    assert (prediction == data.targets[test]).all()
    assert history.epochs[-1].training_loss < 0.2


@pytest.mark.parametrize("norm", ["train", "enrol"])
def test_a_killed_training_continues_to_the_same_weights(
    data: Spectrograms, tmp_path: Path, norm: str
) -> None:
    class KilledError(Exception):
        pass

    def die_after_two(history: History, speed: object) -> None:
        if len(history.epochs) == 2:
            raise KilledError

    asked = options(epochs=4, augment={"pitch": 0.1})
    features = FeatureOptions.model_validate(TINY["features"] | {"norm": norm})
    expected, history = train(data, options=asked, features=features)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KilledError):
        train(data, options=asked, features=features, checkpoint=path, on_epoch=die_after_two)
    lived: list[int] = []
    network, continued = train(
        data, options=asked, features=features, checkpoint=path,
        on_epoch=lambda h, s: lived.append(len(h.epochs)),
    )  # fmt: skip
    assert lived == [3, 4]
    assert torch.equal(weights(network), weights(expected))
    assert continued == history


def epochs(*uars: float, error: float = 0.05) -> History:
    return History([Epoch(1.0, 1.0, uar, error) for uar in uars])


def test_the_kept_epoch_follows_the_tolerance() -> None:
    history = epochs(0.3, 0.6, 0.52, 0.56, 0.49)
    assert history.best_epoch() == 1
    assert history.kept_epoch(0) == 1
    assert history.kept_epoch(1) == 3
    assert history.kept_epoch(3) == 4
    assert epochs(0.5, 0.5).best_epoch() == 0
    assert epochs(0.5, 0.5).kept_epoch(0) == 1


def test_the_weights_kept_are_those_of_the_kept_epoch(data: Spectrograms) -> None:
    asked = options(epochs=6, tolerance=0.0)
    network, history = train(data, options=asked)
    learner = Learner(
        data,
        data.of_speakers(["s0", "s1"]),
        features=FEATURES,
        model=MODEL,
        options=asked,
        seed=0,
        device="cpu",
    )
    for _ in range(history.kept_epoch(0) + 1):
        learner.train_epoch()
        learner.judge(0.0, data.of_speakers(["s2"]), since=0.0)
    assert torch.equal(weights(network), weights(learner.average))


def test_without_validation_the_last_epoch_is_kept(data: Spectrograms, tmp_path: Path) -> None:
    asked = options(epochs=3, patience=1)
    everyone = data.of_speakers(["s0", "s1", "s2"])
    keywords: dict[str, Any] = {"features": FEATURES, "model": MODEL, "options": asked, "seed": 0}
    network, history = training.fit(data, everyone, [], **keywords)
    assert [epoch.validation_uar for epoch in history.epochs] == [None] * 3
    assert history.kept_epoch(asked.tolerance) == 2
    learner = Learner(data, everyone, **keywords, device="cpu")
    for _ in range(3):
        learner.train_epoch()
        learner.judge(0.0, [], since=0.0)
    assert torch.equal(weights(network), weights(learner.average))


def test_patience_ends_training() -> None:
    asked = options(epochs=10, patience=2)
    assert not History().is_over(asked)
    assert not epochs(0.5, 0.4).is_over(asked)
    assert epochs(0.5, 0.4, 0.4).is_over(asked)
    assert not epochs(0.5, 0.4, 0.6).is_over(asked)
    assert epochs(*[n / 10 for n in range(10)]).is_over(asked)


def test_test_speakers_are_never_looked_at(data: Spectrograms) -> None:
    before, _ = train(data)
    start, end = data.bounds[data.of_speakers(["s3"])[0]], data.bounds[-1]
    values = np.array(data.values)
    values[start:end] = np.nan
    data.values = values
    after, _ = train(data)
    assert torch.equal(weights(before), weights(after))


def test_posteriors_are_those_of_each_utterance_alone(data: Spectrograms) -> None:
    network, _ = train(data)
    together = training.posteriors(network, data, [5, 0, 3])
    for row, number in enumerate([5, 0, 3]):
        alone = training.posteriors(network, data, [number])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)


@pytest.mark.parametrize("rest", ["padded", "overlapping"])
def test_posteriors_of_segments_are_their_mean(data: Spectrograms, rest: str) -> None:
    asked = options(segment_s=0.2, segment_rest=rest, crop=1.0)
    network, _ = train(data, options=asked)
    whole = training.posteriors(network, data, [1], asked)[0]
    frames, parts = int(data.frames[1]), []
    assert frames % 10
    for start in range(0, frames, 10):
        if rest == "overlapping":
            start = min(start, frames - 10)
        piece = data[1][start : start + 10]
        padded = functional.pad(piece, (0, 0, 0, 10 - len(piece)))[None]
        stacked = network.features.stack(padded, torch.tensor([len(piece)]))
        with torch.no_grad():
            parts.append(network.backbone(stacked, torch.tensor([10])).softmax(dim=1)[0].numpy())
    np.testing.assert_allclose(whole, np.mean(parts, axis=0), atol=1e-5)


def test_rests_of_utterances_share_batches_with_whole_segments(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(
        data, data.of_speakers(["s0", "s1"]), features=FEATURES, model=MODEL,
        options=options(segment_s=0.2, crop=1.0, batch=2), seed=0, device="cpu",
    )  # fmt: skip
    seen: list[list[int]] = []

    def step(batch: list[datasets.Example], epoch: int) -> float:
        seen.append([example.stop - example.start for example in batch])
        return 0.0

    monkeypatch.setattr(learner, "_step", step)
    monkeypatch.setattr(datasets, "POOL_BATCHES", 100)
    learner.train_epoch()
    assert {length for lengths in seen for length in lengths} > {10}
    mixed = sum(min(lengths) < max(lengths) == 10 for lengths in seen)
    assert mixed > 1  # of sorted ones it would be one at most


def test_the_average_is_that_of_the_steps(data: Spectrograms) -> None:
    """With a long window all steps count nearly alike, and never the initial weights."""
    learner = Learner(
        data, data.of_speakers(["s0"]), features=FEATURES, model=MODEL,
        options=options(averaging=0.999, epochs=1000), seed=0, device="cpu",
    )  # fmt: skip
    seen = []
    for step in range(4):
        for parameter in learner.network.backbone.parameters():
            torch.nn.init.normal_(parameter)
        seen.append(
            torch.cat([p.detach().flatten() for p in learner.network.backbone.parameters()])
        )
        learner._average(step)
    average = torch.cat([p.flatten() for p in learner.average.backbone.parameters()])
    torch.testing.assert_close(average, torch.stack(seen).mean(dim=0), atol=0.01, rtol=0)


ACRNN = Acrnn3dOptions(first_channels=4, channels=4, convolutions=2, linear=8, lstm=4, hidden=4)


def test_statistics_of_the_population_are_those_of_the_final_weights(data: Spectrograms) -> None:
    plain = AugmentOptions.model_validate(dict.fromkeys(AugmentOptions.model_fields, 0.0))
    changes = {"segment_s": 0.2, "crop": 1.0, "batch": 1000, "augment": plain}
    learnt = data.of_speakers(["s0", "s1"])
    for batch_norm in ("running", "population"):
        asked = options(**changes, batch_norm=batch_norm)
        for validation in ([], data.of_speakers(["s2"])):
            network, _ = training.fit(
                data, learnt, validation, features=FEATURES, model=ACRNN, options=asked, seed=0
            )
            assert isinstance(network.backbone, ACRNN3D)
            found = network.backbone.linear_norm.running_mean
            assert found is not None
            found = found.clone()
            # all are one batch, so its statistics with the final weights are the population's
            network.backbone.linear_norm.momentum = 1.0
            network.backbone.train()
            examples, at_least = training._examples(data, learnt, asked)
            log_mel, frames = data.batch(examples, at_least=at_least)
            network.backbone(network.features.stack(log_mel, frames, None), frames)
            again = network.backbone.linear_norm.running_mean
            assert again is not None
            is_equal = torch.allclose(found, again, atol=1e-4, rtol=1e-3)
            assert is_equal == (batch_norm == "population")


def test_a_segment_is_as_long_in_training_as_when_the_network_is_asked(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    forward = ACRNN3D.forward

    def recorded(self: ACRNN3D, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        seen.add((self.training, features.shape[2]))
        return forward(self, features, lengths)

    monkeypatch.setattr(ACRNN3D, "forward", recorded)
    train(data, model=ACRNN, options=options(segment_s=0.2, crop=1.0))
    assert {training for training, _ in seen} == {True, False}
    assert len({frames for _, frames in seen}) == 1


def test_class_weights_balance_the_loss(data: Spectrograms) -> None:
    subset = [n for n in data.of_speakers(["s0", "s1"]) if n not in (0, 1, 4)]
    learner = Learner(
        data, subset, features=FEATURES, model=MODEL, options=OPTIONS, seed=0, device="cpu"
    )
    counts = np.bincount(data.targets[subset])
    assert counts.tolist() == [1, 4]
    totals = learner.class_weights.numpy() * counts
    assert totals[0] == pytest.approx(totals[1])
    assert totals.sum() == pytest.approx(counts.sum())


def test_options_of_segments_fit_together() -> None:
    with pytest.raises(
        ValueError, match=r"segment_s cuts utterances already; set training\.crop=1"
    ):
        TrainingOptions(segment_s=3.0, crop=0.5)
    with pytest.raises(ValueError, match=r"set training\.segment_s with it"):
        TrainingOptions(segment_rest="overlapping")


def test_augmentation_is_off_in_validation(data: Spectrograms) -> None:
    asked = options(epochs=1, averaging=0.0, augment=AugmentOptions(level_db=30).model_dump())
    network, history = train(data, options=asked)
    validation = data.of_speakers(["s2"])
    probabilities = training.posteriors(network, data, validation)
    targets = data.targets[validation]
    loss = -np.log(probabilities[np.arange(len(targets)), targets]).mean()
    assert history.epochs[0].validation_loss == pytest.approx(loss, rel=1e-4)
