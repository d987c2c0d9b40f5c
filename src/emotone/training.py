"""Training one network on the training speakers of a fold, watched on its validation speakers."""

import copy
import ctypes
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from pydantic import Field, model_validator
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional

from emotone import datasets, metrics
from emotone.augment import AugmentOptions, Draws, augment, mixup, mixup_shares
from emotone.datasets import ClassBalance, Example, Spectrograms
from emotone.features import FeatureOptions
from emotone.files import replacing
from emotone.model import ModelOptions, Network
from emotone.options import Options

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces each bfloat16 run

EVALUATION_BATCH = 32
MILLISECONDS = 1000
LENGTH_STEP = 32  # frames


class TrainingOptions(Options):
    """How a network is trained.

    Attributes:
        epochs: passes over the training set, at most.
        patience: epochs without a better validation UAR after which training stops.
        tolerance: the last epoch is kept whose validation UAR is within this many standard errors
            of the best one; 0 keeps the best epoch. A few validation speakers measure an epoch
            so roughly that the best one is mostly the luckiest.
        batch: utterances per step.
        learning_rate: the highest, of AdamW (Loshchilov & Hutter, ICLR 2019).
        schedule: ``cosine`` falls to zero after the warm-up, ``constant`` stays.
        warmup: share of the steps over which the rate rises from zero.
        weight_decay: of AdamW.
        class_balance: ``weights`` in the loss or ``sampling`` by inverse class frequency, or
            ``none``.
        label_smoothing: share of each label that is spread over all classes.
        averaging: decay per step of the average of weights that is evaluated and kept (Polyak &
            Juditsky 1992); 0 for none.
        segment_s: cut utterances into segments of this length, zero-padded, whose posteriors are
            averaged; ``None`` for whole utterances, padded and masked.
        crop: share of each utterance that is used per epoch in training, at a random place; 1 for
            all of it.
        precision: of training; evaluation is always in float32.
        augment: random changes of training utterances.
    """

    epochs: int = Field(60, ge=1)
    patience: int = Field(40, ge=1)
    tolerance: float = Field(2.0, ge=0)
    batch: int = Field(16, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    class_balance: ClassBalance = "weights"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    averaging: float = Field(0.99, ge=0, lt=1)
    segment_s: float | None = Field(None, gt=0.1)
    crop: float = Field(0.75, gt=0, le=1)
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    augment: AugmentOptions = AugmentOptions()

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> "TrainingOptions":
        if self.segment_s is not None and self.crop < 1:
            raise ValueError("segment_s cuts utterances already; set training.crop=1 with it")
        return self


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: losses in nats, UAR in 0 … 1 with its standard error."""

    training_loss: float
    validation_loss: float
    validation_uar: float
    standard_error: float


@dataclass
class History:
    """All epochs so far."""

    epochs: list[Epoch] = field(default_factory=list)

    def best_epoch(self) -> int:
        """Number of the first epoch with the highest validation UAR, from 0."""
        return int(np.argmax([epoch.validation_uar for epoch in self.epochs]))

    def kept_epoch(self, tolerance: float) -> int:
        """Number of the last epoch within ``tolerance`` standard errors of the best, from 0."""
        best = self.epochs[self.best_epoch()]
        least = best.validation_uar - tolerance * best.standard_error
        return max(
            number for number, epoch in enumerate(self.epochs) if epoch.validation_uar >= least
        )

    def is_over(self, options: TrainingOptions) -> bool:
        """Whether training has come to its end, by number of epochs or by patience."""
        done = len(self.epochs)
        return done >= options.epochs or (
            done > 0 and done - 1 - self.best_epoch() >= options.patience
        )


@dataclass(frozen=True)
class Speed:
    """How fast an epoch was trained."""

    utterances: int
    audio_s: float
    seconds: float


Progress = Callable[[History, Speed], None]


def fit(
    data: Spectrograms,
    training: Sequence[int],
    validation: Sequence[int],
    *,
    features: FeatureOptions,
    model: ModelOptions,
    options: TrainingOptions,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    on_epoch: Progress = lambda history, speed: None,
) -> tuple[Network, History]:
    """Train a network; nothing but the utterances named here is looked at.

    All randomness comes from the seed, the epoch and the utterance, so training that was killed
    continues from ``checkpoint`` and ends with the weights of an uninterrupted run (same machine,
    same number of threads, CPU).

    Args:
        data: spectrograms of the corpus.
        training: numbers of the utterances that are learnt.
        validation: numbers of the utterances that choose the epoch.
        features: options of the front end.
        model: options of the network.
        options: of the training.
        seed: of weights, order and augmentation.
        device: an accelerator name of lightning-fabric: ``cpu``, ``cuda``, ``auto``.
        checkpoint: file that keeps the state after each epoch.
        on_epoch: called after each epoch.

    Returns:
        The network of the kept epoch, in evaluation mode on the CPU, and the history.
    """
    learner = Learner(
        data, training, features=features, model=model, options=options, seed=seed,
        device=device,
    )  # fmt: skip
    if checkpoint is not None and checkpoint.is_file():
        learner.load(checkpoint)
    while not learner.history.is_over(options):
        start = time.perf_counter()
        loss, audio_s = learner.train_epoch()
        learner.judge(loss, validation)
        if checkpoint is not None:
            learner.save(checkpoint)
        seconds = time.perf_counter() - start
        on_epoch(learner.history, Speed(len(learner.examples), audio_s, seconds))
    network = learner.average
    network.load_state_dict(learner.kept)
    return network.to("cpu").eval(), learner.history


def posteriors(
    network: Network,
    data: Spectrograms,
    utterances: Sequence[int],
    segment_s: float | None = None,
) -> NDArray[np.float32]:
    """Class probabilities of utterances, in float32, the mean over segments if there are any.

    Returns:
        Shape ``(utterances, labels)``, in the order of ``utterances``.
    """
    network.eval()
    hop_s = network.features.options.hop_ms / MILLISECONDS
    if segment_s is None:
        examples, at_least = datasets.whole(data, utterances), 0
    else:
        at_least = round(segment_s / hop_s)
        examples = datasets.cut(data, utterances, at_least)
    examples = sorted(examples, key=lambda example: example.stop - example.start)
    statistics = speaker_statistics(network, data, utterances)
    sums = np.zeros((len(data.targets), len(data.labels)), np.float32)
    counts = np.zeros(len(data.targets), np.float32)
    device = next(network.parameters()).device
    for first in range(0, len(examples), EVALUATION_BATCH):
        batch = examples[first : first + EVALUATION_BATCH]
        log_mel, frames = data.batch(batch, at_least=at_least)
        with torch.no_grad():
            stacked = network.features.stack(
                log_mel.to(device), frames.to(device), _of_batch(statistics, batch, data, device)
            )
            if at_least:  # zero-padded segments are not masked
                frames = torch.full_like(frames, at_least)
            probabilities = network.crnn(stacked, frames.to(device)).softmax(dim=1).cpu().numpy()
        for example, row in zip(batch, probabilities, strict=True):
            sums[example.utterance] += row
            counts[example.utterance] += 1
    chosen = list(utterances)
    return np.asarray(sums[chosen] / counts[chosen, None], np.float32)


def speaker_statistics(
    network: Network, data: Spectrograms, utterances: Sequence[int]
) -> dict[str, Tensor]:
    """Statistics of the speakers of some utterances, if the features need them."""
    if network.features.options.norm != "speaker":
        return {}
    with torch.no_grad():
        return {
            speaker: network.features.channel_statistics(
                data[number] for number in data.of_speakers([speaker])
            )
            for speaker in sorted(set(data.speakers[list(utterances)]))
        }


def keep_memory() -> None:
    """Tell glibc to keep freed memory, which is faster than returning it after every step.

    Does nothing where there is no glibc.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 2**30)
    except (OSError, AttributeError):
        return


class Learner:
    """The state of one training: network, average, optimiser, history, kept weights."""

    def __init__(
        self,
        data: Spectrograms,
        utterances: Sequence[int],
        *,
        features: FeatureOptions,
        model: ModelOptions,
        options: TrainingOptions,
        seed: int,
        device: str,
    ) -> None:
        self.data, self.options, self.seed = data, options, seed
        utterances = list(utterances)
        self.fabric = Fabric(accelerator=device, devices=1, precision=options.precision)
        torch.manual_seed(seed)
        network = Network(features, model, data.labels)
        with torch.no_grad():
            network.features.fit(data[number] for number in utterances)
        self.network = network.to(self.fabric.device)
        self.average = copy.deepcopy(self.network).eval()
        self.statistics = speaker_statistics(network, data, utterances)
        self.crnn = self.fabric.setup_module(self.network.crnn)
        optimizer = torch.optim.AdamW(
            self.network.crnn.parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
        )
        self.optimizer = cast(torch.optim.AdamW, self.fabric.setup_optimizers(optimizer))
        hop_s = features.hop_ms / MILLISECONDS
        self.hop_s = hop_s
        self.segment = 0 if options.segment_s is None else round(options.segment_s / hop_s)
        self.examples = (
            datasets.cut(data, utterances, self.segment)
            if self.segment
            else datasets.whole(data, utterances)
        )
        self.class_weights = torch.ones(len(data.labels))
        if options.class_balance == "weights":
            counts = np.bincount(data.targets[utterances], minlength=len(data.labels))
            inverse = np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)
            self.class_weights = torch.tensor(
                inverse * len(utterances) / max((counts > 0).sum(), 1), dtype=torch.float32
            )
        self.steps_per_epoch = math.ceil(len(self.examples) / options.batch)
        self.history = History()
        self.kept: dict[str, Tensor] = {}

    def train_epoch(self) -> tuple[float, float]:
        """Train for an epoch; return the mean loss and the seconds of audio."""
        epoch = len(self.history.epochs)
        torch.manual_seed(int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0]))
        rng = np.random.default_rng([self.seed, epoch])
        self.network.train()
        examples = self.examples
        if self.options.class_balance == "sampling":
            examples = datasets.balanced(examples, self.data.targets, rng)
        if self.options.crop < 1:
            examples = datasets.cropped(examples, self.options.crop, rng)
        loss_sum, frame_sum = 0.0, 0
        drawn = datasets.batches(examples, self.options.batch, rng)
        for number, batch in enumerate(drawn):
            self._set_rate(epoch * self.steps_per_epoch + number)
            loss = self._step(batch, epoch)
            self._average()
            loss_sum += loss * len(batch)
            frame_sum += sum(example.stop - example.start for example in batch)
        return loss_sum / len(examples), frame_sum * self.hop_s

    def _step(self, batch: Sequence[Example], epoch: int) -> float:
        options, device = self.options.augment, self.fabric.device
        numbers = [example.utterance for example in batch]
        log_mel, frames = self.data.batch(batch, at_least=self.segment)
        log_mel, frames = log_mel.to(device), frames.to(device)
        targets = functional.one_hot(
            torch.from_numpy(self.data.targets[numbers]), len(self.data.labels)
        ).float()
        targets = targets.to(device)
        with torch.no_grad():
            draws = Draws.of(numbers, seed=self.seed, epoch=epoch)
            log_mel, frames = augment(
                log_mel, frames, draws, options, self.network.features.options
            )
            x = self.network.features.stack(
                log_mel, frames, _of_batch(self.statistics, batch, self.data, device)
            )
            if self.segment:  # zero-padded segments are not masked
                frames = torch.full_like(frames, x.shape[2])
            if options.mixup:
                shares = mixup_shares(numbers, seed=self.seed, epoch=epoch, alpha=options.mixup)
                x, frames, targets = mixup(x, frames, targets, shares)
            smoothing = self.options.label_smoothing
            weights = targets @ self.class_weights.to(device)
            targets = (1 - smoothing) * targets + smoothing / targets.shape[1]
        # few different lengths, because oneDNN prepares its kernels anew for each
        x = functional.pad(x, (0, 0, 0, -x.shape[2] % LENGTH_STEP))
        logits = self.crnn(x, frames)
        losses = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
        loss = (weights * losses).sum() / weights.sum()
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        return float(loss.detach())

    def judge(self, training_loss: float, validation: Sequence[int]) -> None:
        """Append the epoch to the history; keep its weights if they are worth it."""
        probabilities = posteriors(self.average, self.data, validation, self.options.segment_s)
        targets = self.data.targets[list(validation)]
        likelihood = probabilities[np.arange(len(targets)), targets].clip(1e-12)
        names = np.array(self.data.labels)
        counts = metrics.confusion(
            names[targets].tolist(), names[probabilities.argmax(axis=1)].tolist(), self.data.labels
        )
        self.history.epochs.append(
            Epoch(
                training_loss,
                float(-np.log(likelihood).mean()),
                float(metrics.uar_of(counts)),
                metrics.uar_standard_error(counts),
            )
        )
        if self.history.kept_epoch(self.options.tolerance) == len(self.history.epochs) - 1:
            self.kept = {
                name: value.detach().cpu().clone()
                for name, value in self.average.state_dict().items()
            }

    def _set_rate(self, step: int) -> None:
        total = self.options.epochs * self.steps_per_epoch
        warmup = max(round(self.options.warmup * total), 1)
        share = min((step + 1) / warmup, 1.0)
        if self.options.schedule == "cosine" and step >= warmup:
            share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * share

    @torch.no_grad()
    def _average(self) -> None:
        decay = self.options.averaging
        theirs = self.network.crnn.state_dict()
        for name, ours in self.average.crnn.state_dict().items():
            if ours.is_floating_point():
                ours.lerp_(theirs[name], 1 - decay)

    def save(self, path: Path) -> None:
        """Write everything that a later :meth:`load` needs, as safetensors."""
        tensors: dict[str, Tensor] = {}
        for part, state in self._parts().items():
            tensors |= {f"{part}.{name}": value.contiguous() for name, value in state.items()}
        epochs = json.dumps([asdict(epoch) for epoch in self.history.epochs])
        with replacing(path) as temporary:
            temporary.write_bytes(save(tensors, metadata={"epochs": epochs}))

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.history = History([Epoch(**epoch) for epoch in json.loads(metadata["epochs"])])

        def part(prefix: str) -> dict[str, Tensor]:
            start = f"{prefix}."
            return {
                name.removeprefix(start): value
                for name, value in tensors.items()
                if name.startswith(start)
            }

        self.network.load_state_dict(part("network"))
        self.average.load_state_dict(part("average"))
        self.kept = part("kept")
        state = self.optimizer.state_dict()
        state["state"] = {}
        for name, value in part("optimizer").items():
            number, _, key = name.partition(".")
            state["state"].setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict(state)

    def _parts(self) -> dict[str, dict[str, Tensor]]:
        moments = {
            f"{number}.{key}": value
            for number, entry in self.optimizer.state_dict()["state"].items()
            for key, value in entry.items()
        }
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "kept": self.kept,
            "optimizer": moments,
        }


def _of_batch(
    statistics: dict[str, Tensor], batch: Sequence[Example], data: Spectrograms, device: Any
) -> Tensor | None:
    if not statistics:
        return None
    speakers = [data.speakers[example.utterance] for example in batch]
    return torch.stack([statistics[speaker] for speaker in speakers]).to(device)
