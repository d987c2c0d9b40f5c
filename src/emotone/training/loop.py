"""Training one network on the training speakers of a fold, with validation on others."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emotone.evaluation.results import Epoch
from emotone.features import FeatureOptions
from emotone.models.kinds import NetworkKind
from emotone.models.network import Network
from emotone.training import batching
from emotone.training.augmentation import Draws, augment, mix_style
from emotone.training.averaging import average_weights
from emotone.training.balancing import balance_utterances
from emotone.training.batching import Example
from emotone.training.checkpoint import load_checkpoint, save_checkpoint
from emotone.training.concordance import with_concordance
from emotone.training.hardware import fabric_on
from emotone.training.history import History
from emotone.training.loss import label_sets, mixed_labels, weighted_cross_entropy
from emotone.training.mixup import mixup, mixup_shares
from emotone.training.options import TrainingOptions
from emotone.training.posteriors import evaluate
from emotone.training.pretraining import (
    SHARE,
    FineTuningOptions,
    load_pretrained,
    parameter_groups,
    thaw,
)
from emotone.training.schedule import learning_rate
from emotone.training.speakers import (
    Statistics,
    TrainingEnrolment,
    speaker_statistics,
    statistics_of_batch,
)
from emotone.training.spectrograms import Spectrograms, versions_in_turn

LENGTH_STEP = 32  # frames
NO_FINE_TUNING = FineTuningOptions()


def fit(
    data: Spectrograms,
    training: Sequence[int],
    validation: Sequence[int],
    *,
    features: FeatureOptions,
    model: NetworkKind,
    options: TrainingOptions,
    seed: int,
    device: str = "cpu",
    initial: Path | None = None,
    fine_tuning: FineTuningOptions = NO_FINE_TUNING,
    soft_labels: NDArray[np.float32] | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[History], None] = lambda history: None,
) -> tuple[Network, History]:
    """Train a network on the given utterances and no others.

    All randomness comes from the seed, the epoch and the utterance, so training that was killed
    resumes from ``checkpoint`` and ends with the weights of an uninterrupted run (same machine,
    same number of threads, CPU).

    Args:
        data: spectrograms of the corpus.
        training: numbers of the training utterances.
        validation: numbers of the utterances that choose the epoch; none to keep the last one.
        features: options of the front end.
        model: options of the network.
        options: options of the training.
        seed: seed of weights, order and augmentation.
        device: an accelerator name of lightning-fabric: ``cpu``, ``cuda``, ``mps``, ``auto``.
        initial: weights to start from, all but those of the output layer, as safetensors; of an
            ensemble, those of the member that belongs to the seed.
        fine_tuning: which layers are trained, and how fast.
        soft_labels: of a teacher, see :meth:`Learner`.
        checkpoint: file that keeps the state after each epoch.
        on_epoch: called after each epoch with all epochs so far.

    Returns:
        The network of the kept epoch, in evaluation mode on the CPU, and the history.
    """
    learner = Learner(
        data, training, features=features, model=model, options=options, seed=seed,
        device=device, initial=initial, fine_tuning=fine_tuning, soft_labels=soft_labels,
    )  # fmt: skip
    if checkpoint is not None and checkpoint.is_file():
        learner.load(checkpoint)
    while not learner.history.is_over(options):
        start = time.perf_counter()
        loss, _ = learner.train_epoch()
        learner.end_epoch(loss, validation, since=start)
        if checkpoint is not None:
            learner.save(checkpoint)
        on_epoch(learner.history)
    network = learner.average
    network.load_state_dict(learner.kept)
    return network.to("cpu").eval(), learner.history


class Learner:
    """The state of one training: network, average, optimiser, history, kept weights.

    ``soft_labels`` are a teacher's, shape ``(utterances, labels)`` for the whole corpus; see
    :func:`fit` for the other arguments.
    """

    def __init__(
        self,
        data: Spectrograms,
        utterances: Sequence[int],
        *,
        features: FeatureOptions,
        model: NetworkKind,
        options: TrainingOptions,
        seed: int,
        device: str,
        initial: Path | None = None,
        fine_tuning: FineTuningOptions = NO_FINE_TUNING,
        soft_labels: NDArray[np.float32] | None = None,
    ) -> None:
        self.data, self.options, self.seed = data, options, seed
        self.fine_tuning = fine_tuning
        utterances = sorted(utterances)
        self.fabric = fabric_on(device, options.precision)
        torch.manual_seed(seed)
        network = Network(features, model, data.labels, data.dimensions)
        moments = network.features.moments(data[number] for number in utterances)
        if data.versions:
            network.features.fit(network.features.moments(versions_in_turn(data, utterances)))
        else:
            network.features.fit(moments)
        if features.pitch:
            network.features.fit_voicing(versions_in_turn(data, utterances))
        if initial is not None:
            load_pretrained(network, initial, seed)
        self.statistics: Statistics | None = None
        if features.norm == "speaker":
            self.statistics = speaker_statistics(network, data, utterances)
        self.enrolment = TrainingEnrolment(
            copy.deepcopy(network.features), moments, data, utterances, seed
        )
        self.network = network.to(self.fabric.device)
        self.average = copy.deepcopy(self.network).eval()
        self.backbone = self.fabric.setup_module(self.network.backbone)
        optimizer = torch.optim.AdamW(
            parameter_groups(self.network.backbone, fine_tuning),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=True,
        )
        self.optimizer = cast(torch.optim.AdamW, self.fabric.setup_optimizers(optimizer))
        self.examples, self.segment = batching.make_examples(data, utterances, options)
        sets, self.label_set = label_sets(
            data.possible if options.labels == "corpus" else np.ones_like(data.possible)
        )
        self.sets = torch.from_numpy(sets)
        self.wanted = torch.from_numpy(data.wanted)
        weight = 0.0 if options.teacher is None else options.teacher.weight
        self.labels = torch.from_numpy(
            mixed_labels(data.targets, sets[self.label_set], soft_labels, weight)
        )
        balance = balance_utterances(data, utterances, options)
        self.strata = dict(zip(utterances, balance.strata.tolist(), strict=True))
        self.weights = torch.from_numpy(balance.in_loss).float()  # of strata, in the loss
        self.per_epoch = len(self._draw_examples(np.random.default_rng(seed)))  # examples
        self.steps_per_epoch = math.ceil(self.per_epoch / options.batch)
        self.history = History()
        self.kept: dict[str, Tensor] = {}

    @property
    def steps(self) -> int:
        """Steps of the whole training without early stopping."""
        return self.options.epochs * self.steps_per_epoch

    def train_epoch(self) -> tuple[float, float]:
        """Train for an epoch; return the mean loss and the seconds of audio."""
        epoch = len(self.history.epochs)
        torch.manual_seed(int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0]))
        rng = np.random.default_rng([self.seed, epoch])
        self.network.train()
        thaw(self.network.backbone, self.fine_tuning, epoch)
        examples = self._draw_examples(rng)
        if self.data.versions:
            examples = batching.disturb(examples, self.data, self.options.disturb.share, rng)
        if self.options.crop < 1:
            examples = batching.crop(examples, self.options.crop, rng)
        loss_sum, frame_sum = 0.0, 0
        batches = batching.batches(examples, self.options.batch, rng, at_least=self.segment)
        for number, batch in enumerate(batches):
            step = epoch * self.steps_per_epoch + number
            self._set_rate(step)
            loss = self._step(batch, epoch)
            self._average(step)
            loss_sum += loss * len(batch)
            frame_sum += sum(map(len, batch))
        return loss_sum / len(examples), frame_sum * self.data.hop_s

    def end_epoch(self, training_loss: float, validation: Sequence[int], since: float) -> None:
        """Validate, append the epoch to the history, and keep its weights if it is the one to keep.

        Args:
            training_loss: mean loss of the epoch.
            validation: numbers of the validation utterances.
            since: when the epoch began, by :func:`time.perf_counter`.
        """
        seconds = time.perf_counter() - since
        network = self.average
        is_last = len(self.history.epochs) + 1 == self.options.epochs
        if self.options.batch_norm == "population" and (validation or is_last):
            network = self._with_population_statistics()
        if validation:
            found = evaluate(network, self.data, validation, self.options)
            epoch = replace(found, training_loss=training_loss, seconds=time.perf_counter() - since)
        else:
            epoch = Epoch(training_loss, seconds=seconds)
        self.history.epochs.append(epoch)
        if self.history.kept_epoch(self.options.tolerance) == len(self.history.epochs) - 1:
            self.kept = {
                name: value.detach().cpu().clone() for name, value in network.state_dict().items()
            }

    def save(self, path: Path) -> None:
        """Write everything that a later :meth:`load` needs, as safetensors."""
        moments = {
            f"{number}.{key}": value
            for number, entry in self.optimizer.state_dict()["state"].items()
            for key, value in entry.items()
        }
        parts = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "kept": self.kept,
            "optimizer": moments,
        }
        save_checkpoint(path, parts, self.history)

    def load(self, path: Path) -> None:
        """Resume from a checkpoint."""
        parts, self.history = load_checkpoint(path)
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        self.kept = parts["kept"]
        state = self.optimizer.state_dict()
        state["state"] = {}
        for name, value in parts["optimizer"].items():
            number, _, key = name.partition(".")
            state["state"].setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict(state)

    def _draw_examples(self, rng: np.random.Generator) -> list[Example]:
        """Examples of an epoch, before cropping."""
        examples, options = self.examples, self.options
        if options.most_per_speaker is not None:
            examples = batching.cap_per_speaker(
                examples, self.data.speakers, options.most_per_speaker, rng
            )
        if options.samples:
            numbers = [example.utterance for example in examples]
            balance = balance_utterances(self.data, numbers, options)
            examples = batching.draw_weighted(examples, balance.in_drawing[balance.strata], rng)
        return examples

    def _set_rate(self, step: int) -> None:
        rate = learning_rate(step, self.steps, self.options)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group[SHARE]

    def _step(self, batch: Sequence[Example], epoch: int) -> float:
        """Update the weights from a batch; return its loss."""
        x, frames, targets, strata, wanted = self._prepare(batch, epoch)
        if not self.segment:  # oneDNN prepares kernels for each length, so use few
            x = functional.pad(x, (0, 0, 0, -x.shape[2] % LENGTH_STEP))
        logits, found = self.network.heads(self.backbone(x, frames))
        weights = strata @ self.weights.to(strata.device)
        smoothing = self.options.label_smoothing
        loss = weighted_cross_entropy(logits, targets, weights, smoothing, self.sets)
        loss = with_concordance(loss, found, wanted, self.options.dimensions_weight)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        return float(loss.detach())

    def _average(self, step: int) -> None:
        window = max(self.options.averaging * self.steps, 1.0)
        average_weights(self.average.backbone, self.network.backbone, step=step, window=window)

    def _prepare(self, batch: Sequence[Example], epoch: int) -> tuple[Tensor, ...]:
        """Augmented and normalised features of a batch, numbers of frames and what is learnt.

        Returns:
            Shapes ``(batch, channels, frames, mels)``, ``(batch,)``; labels and strata as shares,
            ``(batch, sets, labels)`` and ``(batch, strata)``; values ``(batch, dimensions)``.
        """
        options, device = self.options.augment, self.fabric.device
        features = self.network.features
        numbers = [example.utterance for example in batch]
        log_mel, frames = batching.stack(self.data, batch, at_least=self.segment)
        log_mel, frames = log_mel.to(device), frames.to(device)
        targets = torch.zeros(len(batch), *self.sets.shape)
        targets[range(len(batch)), self.label_set[numbers]] = self.labels[numbers]
        strata = torch.zeros(len(batch), len(self.weights))
        strata[range(len(batch)), [self.strata[number] for number in numbers]] = 1
        learnt = [one.to(device) for one in (targets, strata, self.wanted[numbers])]
        draws = Draws.of(numbers, seed=self.seed, epoch=epoch)
        log_mel, frames = augment(log_mel, frames, draws, options, features.options)
        log_mel = functional.pad(log_mel, (0, 0, 0, max(self.segment - log_mel.shape[1], 0)))
        statistics = (
            self.enrolment.draw(numbers, epoch)
            if features.options.norm == "enrol"
            else statistics_of_batch(self.statistics, self.data, numbers)
        )
        x = features.stack(log_mel, frames, None if statistics is None else statistics.to(device))
        if options.mixstyle:
            x = mix_style(x, frames, draws.style, options.mixstyle)
        if self.segment:  # zero-padded segments are not masked
            frames = torch.full_like(frames, x.shape[2])
        if options.mixup:
            shares = mixup_shares(numbers, seed=self.seed, epoch=epoch, alpha=options.mixup)
            x, frames, *learnt = mixup(x, frames, shares, *learnt)
        return x, frames, *learnt

    def _with_population_statistics(self) -> Network:
        """Copy the averaged network, with batch normalisation statistics of the training set."""
        network = copy.deepcopy(self.average).train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None  # the mean over all batches
        epoch = len(self.history.epochs)
        rng = np.random.default_rng([self.seed, epoch])
        examples = self._draw_examples(rng)
        batches = batching.batches(examples, self.options.batch, rng, at_least=self.segment)
        with torch.no_grad():
            for batch in batches:
                x, frames, *_ = self._prepare(batch, epoch)
                network.backbone(x, frames)
        return network.eval()
