import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.evaluation.results import Epoch
from emotone.features import FeatureOptions, Features
from emotone.models.acrnn import ACRNN3D, Acrnn3dOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network
from emotone.training import batching
from emotone.training.augmentation import AugmentOptions
from emotone.training.batching import make_examples, stack
from emotone.training.history import History
from emotone.training.loop import Learner, fit
from emotone.training.options import TrainingOptions
from emotone.training.posteriors import posteriors
from emotone.training.spectrograms import Spectrograms, load_or_compute
from tests.helpers import TINY

FEATURES = FeatureOptions.model_validate(TINY["features"])
MODEL = CrnnOptions.model_validate(TINY["model"])
OPTIONS = TrainingOptions.model_validate(TINY["training"])


def train(data: Spectrograms, **changes: Any) -> tuple[Network, History]:
    keywords: dict[str, Any] = {
        "features": FEATURES,
        "model": MODEL,
        "options": OPTIONS,
        "seed": 0,
    } | changes
    return fit(data, data.of_speakers(["s0", "s1"]), data.of_speakers(["s2"]), **keywords)


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
    {"speaker_balance": "sampling"},
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
    probabilities = posteriors(network, data, [3, 0])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_it_learns_what_can_be_learned(data: Spectrograms) -> None:
    """Two classes that differ in the slope of the spectrum."""
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
    prediction = posteriors(network, data, test).argmax(axis=1)
    assert (prediction == data.targets[test]).all()
    assert history.epochs[-1].training_loss < 0.2


@pytest.mark.parametrize("norm", ["train", "enrol"])
def test_a_killed_training_resumes_to_the_same_weights(
    data: Spectrograms, tmp_path: Path, norm: str
) -> None:
    model = MODEL.model_copy(update={"dropout": 0.2})

    class KilledError(Exception):
        pass

    def die_after_two(history: History) -> None:
        if len(history.epochs) == 2:
            raise KilledError

    asked = options(epochs=4, augment={"pitch": 0.1})
    features = FeatureOptions.model_validate(TINY["features"] | {"norm": norm})
    expected, history = train(data, options=asked, features=features, model=model)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KilledError):
        train(
            data, options=asked, features=features, model=model, checkpoint=path,
            on_epoch=die_after_two,
        )  # fmt: skip
    lived: list[int] = []
    network, continued = train(
        data, options=asked, features=features, model=model, checkpoint=path,
        on_epoch=lambda history: lived.append(len(history.epochs)),
    )  # fmt: skip
    assert lived == [3, 4]
    assert torch.equal(weights(network), weights(expected))
    assert continued == history


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
        learner.end_epoch(0.0, data.of_speakers(["s2"]), since=0.0)
    assert torch.equal(weights(network), weights(learner.average))


def test_without_validation_the_last_epoch_is_kept(data: Spectrograms, tmp_path: Path) -> None:
    asked = options(epochs=3, patience=1)
    everyone = data.of_speakers(["s0", "s1", "s2"])
    keywords: dict[str, Any] = {"features": FEATURES, "model": MODEL, "options": asked, "seed": 0}
    network, history = fit(data, everyone, [], **keywords)
    assert [epoch.validation_uar for epoch in history.epochs] == [None] * 3
    assert history.kept_epoch(asked.tolerance) == 2
    learner = Learner(data, everyone, **keywords, device="cpu")
    for _ in range(3):
        learner.train_epoch()
        learner.end_epoch(0.0, [], since=0.0)
    assert torch.equal(weights(network), weights(learner.average))


def test_test_speakers_are_never_looked_at(data: Spectrograms) -> None:
    before, _ = train(data)
    start, end = data.bounds[data.of_speakers(["s3"])[0]], data.bounds[-1]
    values = np.array(data.values)
    values[start:end] = np.nan
    data.values = values
    after, _ = train(data)
    assert torch.equal(weights(before), weights(after))


def make_learner(data: Spectrograms, utterances: list[int], **changes: Any) -> Learner:
    return Learner(
        data, utterances, features=FEATURES, model=MODEL, options=options(**changes), seed=0,
        device="cpu",
    )  # fmt: skip


def record_steps(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Have the learner note batch, rate and number of each step, and do nothing else."""
    seen: list[dict[str, Any]] = []

    def step(batch: list[batching.Example], epoch: int) -> float:
        rates = {group["lr"] for group in learner.optimizer.param_groups}
        seen.append({"batch": batch, "epoch": epoch, "rates": rates})
        return float(len(batch))

    def average(step: int) -> None:
        seen[-1]["step"] = step

    monkeypatch.setattr(learner, "_step", step)
    monkeypatch.setattr(learner, "_average", average)
    return seen


def test_the_rate_follows_the_schedule_over_all_epochs(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five utterances in batches of two are three steps: 12 in four epochs, three to warm up."""
    asked = {"epochs": 4, "batch": 2, "warmup": 0.25, "learning_rate": 0.3, "schedule": "cosine"}
    learner = make_learner(data, [0, 1, 2, 4, 6], **asked)
    seen = record_steps(learner, monkeypatch)
    crops = [math.ceil(0.75 * data.frames[number]) for number in (0, 1, 2, 4, 6)]
    for _ in range(4):
        loss, audio_s = learner.train_epoch()
        learner.history.epochs.append(Epoch(loss))
        assert loss == pytest.approx((2 * 2 + 2 * 2 + 1 * 1) / 5)  # the mean over utterances
        assert audio_s == pytest.approx(0.02 * sum(crops))
    assert [each["step"] for each in seen] == list(range(12))
    assert [each["epoch"] for each in seen] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    cosine = [0.15 * (1 + math.cos(math.pi * step / 9)) for step in range(9)]
    assert [rate for each in seen for rate in each["rates"]] == pytest.approx(
        [0.1, 0.2, 0.3, *cosine]
    )


def test_the_weights_of_steps_decay_over_the_share_of_all_steps(data: Spectrograms) -> None:
    """Two steps in each of 10 epochs, averaged over half of them: a window of 10 steps."""
    learner = make_learner(data, data.of_speakers(["s0", "s1"]), averaging=0.5, epochs=10)
    assert learner.steps_per_epoch == 2
    current, average = (
        network.state_dict()["backbone.output.weight"]
        for network in (learner.network, learner.average)
    )
    seen = []
    for step in range(3):
        seen.append(current.normal_().clone())
        learner._average(step)
    expected = (0.81 * seen[0] + 0.9 * seen[1] + seen[2]) / (0.81 + 0.9 + 1)
    torch.testing.assert_close(average, expected)


def test_crops_depend_on_seed_and_epoch_and_cover_the_utterance(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Utterance 0 has 16 frames, of which 12 are used from 0 to 4 on."""
    first, second = (make_learner(data, [0, 1, 2], epochs=1000) for _ in range(2))
    crops: list[list[list[batching.Example]]] = []
    for learner in (first, second):
        seen = record_steps(learner, monkeypatch)
        for _ in range(60):
            learner.history.epochs.append(Epoch(learner.train_epoch()[0]))
        crops.append([each["batch"] for each in seen])
    assert crops[0] == crops[1]
    mine = [example for batch in crops[0] for example in batch if example.utterance == 0]
    assert len(mine) == 60
    assert {len(example) for example in mine} == {12}
    assert {example.start for example in mine} == set(range(5))


def test_whole_utterances_are_used_where_nothing_is_cropped(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner(data, [0, 1], crop=1.0)
    seen = record_steps(learner, monkeypatch)
    learner.train_epoch()
    examples = {example for each in seen for example in each["batch"]}
    assert examples == {batching.Example(0, 0, 16), batching.Example(1, 0, 21)}


def test_each_epoch_caps_speakers_and_draws_again(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner(data, data.of_speakers(["s0", "s1"]), most_per_speaker=1, epochs=1000)
    assert (learner.per_epoch, learner.steps_per_epoch) == (2, 1)
    seen = record_steps(learner, monkeypatch)
    for _ in range(40):
        learner.history.epochs.append(Epoch(learner.train_epoch()[0]))
    drawn = [[example.utterance for example in each["batch"]] for each in seen]
    assert all(sorted(number // 4 for number in batch) == [0, 1] for batch in drawn)
    assert {number for batch in drawn for number in batch} == set(range(8))


@pytest.mark.parametrize(
    ("balance", "expected"), [("weights", [5 / 8, 5 / 2]), ("none", [1, 1]), ("sampling", [1, 1])]
)
def test_classes_are_weighted_in_the_loss_where_asked(
    data: Spectrograms, balance: str, expected: list[float]
) -> None:
    """Four utterances of anger and one of neutral."""
    learner = make_learner(data, [0, 1, 2, 4, 5], class_balance=balance)
    weights = learner.weights[[learner.strata[number] for number in (0, 2)]]
    assert weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("mixing", [0.0, 0.3])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_a_step_is_that_of_its_logits_and_labels(
    data: Spectrograms, mixing: float, smoothing: float
) -> None:
    """Recomputed by NumPy from the logits: class weights, smoothed labels, each mixed."""
    learner = make_learner(
        data, [0, 1, 2, 4, 5], label_smoothing=smoothing, precision="32-true",
        augment={"mixup": mixing},
    )  # fmt: skip
    logits: list[torch.Tensor] = []
    learner.network.backbone.register_forward_hook(
        lambda module, inputs, output: logits.append(output.detach())
    )
    numbers = [0, 2, 1, 4]
    learner.network.train()
    found = learner._step([batching.Example(number, 0, 12) for number in numbers], epoch=7)
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    if mixing:
        drawn = [np.random.default_rng([0, 7, number, 1]).beta(0.3, 0.3) for number in numbers]
        shares = np.array([max(share, 1 - share) for share in drawn])[:, None]
        labels = shares * labels + (1 - shares) * labels[[3, 0, 1, 2]]
    weights = labels @ [5 / 8, 5 / 2]
    smoothed = (1 - smoothing) * labels + smoothing / 2
    values = logits[0].double().numpy()
    log_probabilities = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    losses = -(smoothed * log_probabilities).sum(axis=1)
    assert found == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-5)


def test_steps_lower_the_loss_of_their_batch(data: Spectrograms) -> None:
    still = {"warp": 0.0, "mixup": 0.0, "level_db": 0.0, "equaliser_db": 0.0}
    learner = make_learner(
        data, list(range(8)), learning_rate=0.01, precision="32-true", augment=still
    )
    learner.network.train()
    batch = [batching.Example(number, 0, 16) for number in range(8)]
    losses = [learner._step(batch, epoch=0) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]


def test_rests_of_utterances_share_batches_with_whole_segments(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner(data, data.of_speakers(["s0", "s1"]), segment_s=0.2, crop=1.0, batch=2)
    seen = record_steps(learner, monkeypatch)
    monkeypatch.setattr(batching, "POOL_BATCHES", 100)
    learner.train_epoch()
    lengths = [[len(example) for example in each["batch"]] for each in seen]
    assert {length for batch in lengths for length in batch} > {10}
    mixed = sum(min(batch) < max(batch) == 10 for batch in lengths)
    assert mixed > 1  # of sorted ones it would be one at most


ACRNN = Acrnn3dOptions(first_channels=4, channels=4, convolutions=2, linear=8, lstm=4, hidden=4)


def test_statistics_of_the_population_are_those_of_the_final_weights(data: Spectrograms) -> None:
    plain = AugmentOptions.model_validate(dict.fromkeys(AugmentOptions.model_fields, 0.0))
    changes = {"segment_s": 0.2, "crop": 1.0, "batch": 1000, "augment": plain}
    training = data.of_speakers(["s0", "s1"])
    for batch_norm in ("running", "population"):
        asked = options(**changes, batch_norm=batch_norm)
        for validation in ([], data.of_speakers(["s2"])):
            network, _ = fit(
                data, training, validation, features=FEATURES, model=ACRNN, options=asked, seed=0
            )
            assert isinstance(network.backbone, ACRNN3D)
            found = network.backbone.linear_norm.running_mean
            assert found is not None
            found = found.clone()
            # all are one batch, so its statistics with the final weights are the population's
            network.backbone.linear_norm.momentum = 1.0
            network.backbone.train()
            examples, at_least = make_examples(data, training, asked)
            log_mel, frames = stack(data, examples, at_least=at_least)
            network.backbone(network.features.stack(log_mel, frames, None), frames)
            again = network.backbone.linear_norm.running_mean
            assert again is not None
            is_equal = torch.allclose(found, again, atol=1e-4, rtol=1e-3)
            assert is_equal == (batch_norm == "population")


def test_a_segment_is_as_long_in_training_as_when_the_network_is_asked(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    embed = ACRNN3D.embed

    def recorded(self: ACRNN3D, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        seen.add((self.training, features.shape[2]))
        return embed(self, features, lengths)

    monkeypatch.setattr(ACRNN3D, "embed", recorded)
    train(data, model=ACRNN, options=options(segment_s=0.2, crop=1.0))
    assert {training for training, _ in seen} == {True, False}
    assert len({frames for _, frames in seen}) == 1


def test_augmentation_is_off_in_validation(data: Spectrograms) -> None:
    asked = options(epochs=1, averaging=0.0, augment=AugmentOptions(level_db=30).model_dump())
    network, history = train(data, options=asked)
    validation = data.of_speakers(["s2"])
    probabilities = posteriors(network, data, validation)
    targets = data.targets[validation]
    loss = -np.log(probabilities[np.arange(len(targets)), targets]).mean()
    assert history.epochs[0].validation_loss == pytest.approx(loss, rel=1e-4)


def test_a_corpus_teaches_nothing_about_labels_that_it_lacks(two_corpora: Spectrograms) -> None:
    """Corpus a has no fear, b no neutral; with labels of corpora neither learns to avoid it."""
    for labels, is_taught in (("all", True), ("corpus", False)):
        learner = make_learner(two_corpora, list(range(24)), labels=labels, precision="32-true")
        learner.network.train()
        for numbers, missing in (([0, 1, 2, 3], 1), ([12, 13, 14, 15], 2)):
            learner.network.zero_grad()
            learner._step([batching.Example(number, 0, 12) for number in numbers], epoch=0)
            gradients = dict(learner.network.backbone.named_parameters())
            bias = gradients["output.bias"].grad
            assert bias is not None
            assert [bool(value) for value in bias] == [
                is_taught or label != missing for label in range(3)
            ]


@pytest.mark.parametrize("mixing", [0.0, 0.3])
def test_the_loss_of_a_step_over_two_corpora(two_corpora: Spectrograms, mixing: float) -> None:
    """Recomputed by NumPy: each label among those of its corpus, then mixed.

    Of corpus a, anger has four and neutral two of six utterances; of b, anger and fear two each:
    within their corpora, utterances weigh 3/4, 3/2 and 1.
    """
    learner = make_learner(
        two_corpora, [0, 1, 2, 4, 5, 6, 12, 13, 14, 15], labels="corpus", label_smoothing=0.2,
        precision="32-true", augment={"mixup": mixing},
    )  # fmt: skip
    logits: list[torch.Tensor] = []
    learner.network.backbone.register_forward_hook(
        lambda module, inputs, output: logits.append(output.detach())
    )
    numbers = [0, 2, 12, 14]
    learner.network.train()
    found = learner._step([batching.Example(number, 0, 12) for number in numbers], epoch=7)
    values = np.exp(logits[0].double().numpy())
    share = np.ones(4)
    if mixing:
        drawn = [np.random.default_rng([0, 7, number, 1]).beta(0.3, 0.3) for number in numbers]
        share = np.array([max(each, 1 - each) for each in drawn])
    # label, the other label of the corpus, weight
    facts = [(0, 2, 3 / 4), (2, 0, 3 / 2), (0, 1, 1), (1, 0, 1)]
    total = weight_total = 0.0
    for row in range(4):
        loss = weight = 0.0
        for part, (label, other, of_utterance) in (
            (share[row], facts[row]), (1 - share[row], facts[row - 1]),
        ):  # fmt: skip
            both = values[row, label] + values[row, other]
            terms = 0.9 * np.log(values[row, label] / both)
            terms += 0.1 * np.log(values[row, other] / both)
            loss -= part * terms
            weight += part * of_utterance
        total += weight * loss
        weight_total += weight
    assert found == pytest.approx(total / weight_total, rel=1e-5)


def test_balances_by_sampling_are_reached_over_epochs(
    two_corpora: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corpus a has eight of ten utterances, s0 four of them; b has anger and fear of one speaker.

    A corpus is drawn, then one of its classes, then one of the speakers.
    """
    numbers = [*range(4), 4, 5, 8, 9, 12, 14]
    learner = make_learner(
        two_corpora, numbers, epochs=1000, corpus_balance="sampling", class_balance="sampling",
        speaker_balance="sampling",
    )  # fmt: skip
    seen = record_steps(learner, monkeypatch)
    for _ in range(600):
        learner.history.epochs.append(Epoch(learner.train_epoch()[0]))
    drawn = [example.utterance for each in seen for example in each["batch"]]
    frequency = np.bincount(drawn, minlength=24)[numbers] / len(drawn)
    # of a: anger 1/4, a third of it for each of three speakers; neutral 1/4, all of s0
    expected = [1 / 24] * 2 + [1 / 8] * 2 + [1 / 24] * 4 + [1 / 4] * 2
    np.testing.assert_allclose(frequency, expected, atol=0.02)


def test_balances_by_sampling_count_what_the_cap_leaves(
    data: Spectrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without replacement, one utterance of each of two speakers: both are as likely."""
    learner = make_learner(
        data, [0, 1, 2, 3, 4], most_per_speaker=1, speaker_balance="sampling", epochs=1000,
        class_balance="none",
    )  # fmt: skip
    seen = record_steps(learner, monkeypatch)
    for _ in range(400):
        learner.history.epochs.append(Epoch(learner.train_epoch()[0]))
    drawn = [example.utterance for each in seen for example in each["batch"]]
    assert len(drawn) == 800
    assert np.mean([number == 4 for number in drawn]) == pytest.approx(0.5, abs=0.06)


def test_validation_is_over_the_labels_of_all_corpora(two_corpora: Spectrograms) -> None:
    asked = options(labels="corpus", epochs=1, averaging=0.0)
    validation = [8, 9, 10, 11, 20, 21, 22, 23]
    network, history = fit(
        two_corpora, [*range(8), *range(12, 20)], validation, features=FEATURES, model=MODEL,
        options=asked, seed=0,
    )  # fmt: skip
    probabilities = posteriors(network, two_corpora, validation)
    assert probabilities.shape == (8, 3)
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    truth = np.array([0, 0, 2, 2, 0, 0, 1, 1])
    epoch = history.epochs[0]
    loss = -np.log(probabilities[np.arange(8), truth]).mean()
    assert epoch.validation_loss == pytest.approx(loss, rel=1e-4)
    hits = probabilities.argmax(axis=1) == truth
    uar = np.mean([hits[truth == label].mean() for label in range(3)])
    assert epoch.validation_uar == pytest.approx(uar)


def test_usual_voicing_is_learnt_and_stays_when_trained_further(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    features = FeatureOptions.model_validate(TINY["features"] | {"pitch": True})
    front_end = Features(features)
    corpus = corpora.read(TableOptions(root=make_table()))
    data = load_or_compute(corpus, front_end, tmp_path / "kept")
    found = [
        float(front_end.voicing(data[n][None], torch.tensor([len(data[n])]))) for n in range(8)
    ]
    network, _ = fit(
        data, range(8), [], features=features, model=MODEL, options=options(epochs=1), seed=0
    )
    learnt = network.features.voicings
    torch.testing.assert_close(
        learnt, torch.tensor([np.mean(found), max(np.std(found), 0.01)]).float()
    )
    answers = posteriors(network, data, range(8))
    network.features.voicings = learnt + torch.tensor([1.0, 0.0])  # all are unusual
    flat = posteriors(network, data, range(8))
    np.testing.assert_allclose(
        np.log(flat[:, 0] / flat[:, 1]), 0.1 * np.log(answers[:, 0] / answers[:, 1]), rtol=1e-3
    )
    path = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    further, _ = fit(
        data, range(2), [], features=features, model=MODEL, options=options(epochs=1), seed=0,
        initial=path,
    )  # fmt: skip
    assert torch.equal(further.features.voicings, network.features.voicings)
