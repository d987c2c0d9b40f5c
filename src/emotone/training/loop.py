"""Training one network on the training speakers of a fold, watched on its validation speakers."""

import copy
import ctypes
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from emotone.errors import UsageError
from emotone.evaluation import metrics
from emotone.features import FeatureOptions
from emotone.files import replacing
from emotone.models.kinds import NetworkKind
from emotone.models.network import Network, current_names
from emotone.options import Options
from emotone.training import datasets
from emotone.training.augmentation import AugmentOptions, Draws, augment, mixup, mixup_shares
from emotone.training.datasets import ClassBalance, Example, Spectrograms

if TYPE_CHECKING:
    from lightning_fabric import Fabric

EVALUATION_BATCH = 32
MOST_ENROLLED = 50  # utterances of a speaker from which statistics are taken in training
ENROL_STREAM = 2  # of random numbers that are independent of those of augmentation
LENGTH_STEP = 32  # frames
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16")

Precision = Literal["32-true", "bf16-mixed"]


class TrainingOptions(Options):
    """How a network is trained.

    Attributes:
        epochs: passes over the training set, at most.
        patience: of early stopping: epochs without a better validation UAR after which training
            ends.
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
        averaging: share of all steps over which weights are averaged, with exponential decay and
            corrected for its beginning (Polyak & Juditsky 1992; Kingma & Ba, ICLR 2015, section
            7.2); the average is what is evaluated and kept; 0 for none.
        segment_s: cut utterances into segments of this length, whose posteriors are averaged;
            ``None`` for whole utterances, padded and masked.
        segment_rest: what is left of an utterance after its last whole segment: ``padded`` with
            zeros, or ``overlapping``, a whole segment that ends with the utterance. An utterance
            shorter than a segment is always padded.
        most_per_speaker: examples of a speaker per epoch, drawn anew for each; ``None`` for all.
            It keeps a few speakers who say much from being most of what is learnt.
        batch_norm: whose statistics batch normalisation uses outside training: ``running`` ones of
            the last steps, or those of the ``population``, the training set, estimated once the
            weights are final (Ioffe & Szegedy 2015, algorithm 2). Where weights change fast until
            the end, running ones lag far behind them.
        crop: share of each utterance that is used per epoch in training, at a random place; 1 for
            all of it.
        precision: of training; evaluation is always in float32. Where it is slow, ``bf16-mixed``
            becomes ``32-true``, see :func:`usable_precision`.
        augment: random changes of training utterances.
    """

    epochs: int = Field(120, ge=1)
    patience: int = Field(120, ge=1)
    tolerance: float = Field(2.0, ge=0)
    batch: int = Field(16, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    schedule: Literal["cosine", "constant"] = "constant"
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    class_balance: ClassBalance = "weights"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    averaging: float = Field(0.3, ge=0, lt=1)
    segment_s: float | None = Field(None, gt=0.1)
    segment_rest: Literal["padded", "overlapping"] = "padded"
    most_per_speaker: int | None = Field(None, ge=1)
    batch_norm: Literal["running", "population"] = "running"
    crop: float = Field(0.75, gt=0, le=1)
    precision: Precision = "bf16-mixed"
    augment: AugmentOptions = AugmentOptions()

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> "TrainingOptions":
        if self.segment_s is not None and self.crop < 1:
            raise ValueError("segment_s cuts utterances already; set training.crop=1 with it")
        if self.segment_s is None and self.segment_rest != "padded":
            raise ValueError("segment_rest is of segments; set training.segment_s with it")
        return self


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: losses in nats, UAR in 0 … 1 with its standard error; what it took.

    Without validation utterances there are a training loss and a time only.
    """

    training_loss: float
    validation_loss: float | None = None
    validation_uar: float | None = None
    standard_error: float | None = None
    seconds: float = field(default=0.0, compare=False)


@dataclass
class History:
    """All epochs so far."""

    epochs: list[Epoch] = field(default_factory=list)

    def best_epoch(self) -> int:
        """Number of the first epoch with the highest validation UAR, from 0."""
        return int(np.argmax([epoch.validation_uar or 0.0 for epoch in self.epochs]))

    def kept_epoch(self, tolerance: float) -> int:
        """Number of the last epoch within ``tolerance`` standard errors of the best, from 0.

        Without validation it is the last one.
        """
        best = self.epochs[self.best_epoch()]
        if best.validation_uar is None or best.standard_error is None:
            return len(self.epochs) - 1
        least = best.validation_uar - tolerance * best.standard_error
        return max(
            number
            for number, epoch in enumerate(self.epochs)
            if epoch.validation_uar is not None and epoch.validation_uar >= least
        )

    def is_over(self, options: TrainingOptions) -> bool:
        """Whether training has come to its end, by number of epochs or by patience."""
        done = len(self.epochs)
        if done == 0 or done >= options.epochs:
            return done > 0
        watched = self.epochs[-1].validation_uar is not None
        return watched and done - 1 - self.best_epoch() >= options.patience


@dataclass(frozen=True)
class Speed:
    """How fast an epoch was trained."""

    utterances: int
    audio_s: float
    seconds: float


Statistics = dict[str, Tensor]  # of each speaker: mean and std, (2, channels, mels)
Progress = Callable[[History, Speed], None]


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
        validation: numbers of the utterances that choose the epoch; none to keep the last one.
        features: options of the front end.
        model: options of the network.
        options: of the training.
        seed: of weights, order and augmentation.
        device: an accelerator name of lightning-fabric: ``cpu``, ``cuda``, ``auto``.
        initial: weights to begin with, all but those of the output layer, as safetensors.
        checkpoint: file that keeps the state after each epoch.
        on_epoch: called after each epoch.

    Returns:
        The network of the kept epoch, in evaluation mode on the CPU, and the history.
    """
    learner = Learner(
        data, training, features=features, model=model, options=options, seed=seed,
        device=device, initial=initial,
    )  # fmt: skip
    if checkpoint is not None and checkpoint.is_file():
        learner.load(checkpoint)
    while not learner.history.is_over(options):
        start = time.perf_counter()
        loss, audio_s = learner.train_epoch()
        learner.judge(loss, validation, since=start)
        if checkpoint is not None:
            learner.save(checkpoint)
        seconds = learner.history.epochs[-1].seconds
        on_epoch(learner.history, Speed(learner.per_epoch, audio_s, seconds))
    network = learner.average
    network.load_state_dict(learner.kept)
    return network.to("cpu").eval(), learner.history


def posteriors(
    network: Network,
    data: Spectrograms,
    utterances: Sequence[int],
    options: TrainingOptions | None = None,
    statistics: Statistics | None = None,
) -> NDArray[np.float32]:
    """Class probabilities of utterances, in float32, the mean over segments if there are any.

    Args:
        network: to ask.
        data: spectrograms of the corpus.
        utterances: numbers of the utterances.
        options: whose segments the utterances are cut into; ``None`` for whole utterances.
        statistics: of speakers, for ``norm: enrol``; those of training if there are none. For
            ``norm: speaker`` they are computed here.

    Returns:
        Shape ``(utterances, labels)``, in the order of ``utterances``.
    """
    network.eval()
    examples, at_least = _examples(data, utterances, options or TrainingOptions())
    examples = sorted(examples, key=lambda example: example.stop - example.start)
    if network.features.options.norm == "speaker":
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
            probabilities = (
                network.backbone(stacked, frames.to(device)).softmax(dim=1).cpu().numpy()
            )
        for example, row in zip(batch, probabilities, strict=True):
            sums[example.utterance] += row
            counts[example.utterance] += 1
    chosen = list(utterances)
    return np.asarray(sums[chosen] / counts[chosen, None], np.float32)


def _examples(
    data: Spectrograms, utterances: Sequence[int], options: TrainingOptions
) -> tuple[list[Example], int]:
    """Whole utterances or segments, and the frames that each is padded to, at least."""
    if options.segment_s is None:
        return datasets.whole(data, utterances), 0
    segment = round(options.segment_s / data.hop_s)
    overlapping = options.segment_rest == "overlapping"
    return datasets.cut(data, utterances, segment, overlapping=overlapping), segment


def speaker_statistics(
    network: Network, data: Spectrograms, utterances: Sequence[int]
) -> Statistics:
    """Statistics of the speakers of some utterances over all that they say in the corpus."""
    return {
        speaker: network.features.moments(
            data[number] for number in data.of_speakers([speaker])
        ).statistics()
        for speaker in sorted(set(data.speakers[list(utterances)]))
    }


def enrolment_statistics(
    network: Network, data: Spectrograms, utterances: dict[str, Sequence[int]]
) -> Statistics:
    """Statistics of speakers from a few utterances of each, for ``norm: enrol``.

    Args:
        network: whose training statistics the speakers' are shrunk towards.
        data: spectrograms of the corpus.
        utterances: numbers of the enrolment utterances of each speaker.
    """
    features = network.features
    return {
        speaker: features.enrolled(features.moments(data[number] for number in numbers))
        for speaker, numbers in utterances.items()
    }


def begin_with(network: Network, weights: Path) -> None:
    """Take over weights of another network, all but those of the output layer.

    Raises:
        UsageError: if they are of a network of other sizes.
    """
    theirs = {
        name: value
        for name, value in current_names(load_file(weights)).items()
        if name.startswith("backbone.") and not name.startswith("backbone.output.")
    }
    ours = network.state_dict()
    for name, value in theirs.items():
        if name not in ours or ours[name].shape != value.shape:
            raise UsageError(f"{weights}: weights of a network of other sizes ({name} differs)")
    network.load_state_dict(ours | theirs)


def usable_precision(asked: Precision, device: str) -> Precision:
    """Return the precision asked for, or float32 on a processor without bfloat16 instructions.

    There bfloat16 is emulated, several times as slow as float32 (``benchmarks/training.py``). The
    networks differ by rounding.

    Args:
        asked: of :class:`TrainingOptions`.
        device: an accelerator name of lightning-fabric.
    """
    if device != "cpu" and (device != "auto" or torch.cuda.is_available()):
        return asked
    # old PyTorch cannot tell
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    has_instructions = any(capabilities.get(name) for name in BFLOAT16_INSTRUCTIONS)
    return asked if has_instructions and torch.backends.mkldnn.is_available() else "32-true"


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
        model: NetworkKind,
        options: TrainingOptions,
        seed: int,
        device: str,
        initial: Path | None = None,
    ) -> None:
        self.data, self.options, self.seed = data, options, seed
        utterances = sorted(utterances)
        self.fabric = _fabric(device, usable_precision(options.precision, device))
        torch.manual_seed(seed)
        network = Network(features, model, data.labels)
        if initial is not None:
            begin_with(network, initial)
        self.utterances = np.array(utterances)
        self.moments = network.features.moments(data[number] for number in utterances)
        network.features.fit(self.moments)
        self.statistics: Statistics | None = None
        if features.norm == "speaker":
            self.statistics = speaker_statistics(network, data, utterances)
        self.enroller = copy.deepcopy(network.features)  # stays on the CPU, with the moments
        self.network = network.to(self.fabric.device)
        self.average = copy.deepcopy(self.network).eval()
        self.backbone = self.fabric.setup_module(self.network.backbone)
        optimizer = torch.optim.AdamW(
            self.network.backbone.parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=True,
        )
        self.optimizer = cast(torch.optim.AdamW, self.fabric.setup_optimizers(optimizer))
        self.examples, self.segment = _examples(data, utterances, options)
        self.class_weights = torch.ones(len(data.labels))
        if options.class_balance == "weights":
            counts = np.bincount(data.targets[utterances], minlength=len(data.labels))
            inverse = np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)
            self.class_weights = torch.tensor(
                inverse * len(utterances) / max((counts > 0).sum(), 1), dtype=torch.float32
            )
        self.per_epoch = len(self._drawn(np.random.default_rng(seed)))  # examples
        self.steps_per_epoch = math.ceil(self.per_epoch / options.batch)
        self.history = History()
        self.kept: dict[str, Tensor] = {}

    def train_epoch(self) -> tuple[float, float]:
        """Train for an epoch; return the mean loss and the seconds of audio."""
        epoch = len(self.history.epochs)
        torch.manual_seed(int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0]))
        rng = np.random.default_rng([self.seed, epoch])
        self.network.train()
        examples = self._drawn(rng)
        if self.options.crop < 1:
            examples = datasets.cropped(examples, self.options.crop, rng)
        loss_sum, frame_sum = 0.0, 0
        drawn = datasets.batches(examples, self.options.batch, rng, at_least=self.segment)
        for number, batch in enumerate(drawn):
            step = epoch * self.steps_per_epoch + number
            self._set_rate(step)
            loss = self._step(batch, epoch)
            self._average(step)
            loss_sum += loss * len(batch)
            frame_sum += sum(example.stop - example.start for example in batch)
        return loss_sum / len(examples), frame_sum * self.data.hop_s

    def _drawn(self, rng: np.random.Generator) -> list[Example]:
        """Examples of an epoch."""
        examples = self.examples
        if self.options.most_per_speaker is not None:
            most = self.options.most_per_speaker
            examples = datasets.fewer(examples, self.data.speakers, most, rng)
        if self.options.class_balance == "sampling":
            examples = datasets.balanced(examples, self.data.targets, rng)
        return examples

    def _step(self, batch: Sequence[Example], epoch: int) -> float:
        """Update the weights from a batch; return its loss."""
        x, frames, targets = self._prepared(batch, epoch)
        smoothing = self.options.label_smoothing
        weights = targets @ self.class_weights.to(targets.device)
        targets = (1 - smoothing) * targets + smoothing / targets.shape[1]
        if not self.segment:  # few different lengths, as oneDNN prepares its kernels for each anew
            x = functional.pad(x, (0, 0, 0, -x.shape[2] % LENGTH_STEP))
        logits = self.backbone(x, frames)
        losses = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
        loss = (weights * losses).sum() / weights.sum()
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def _prepared(self, batch: Sequence[Example], epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Augmented and normalised features of a batch, their numbers of frames, and labels.

        Returns:
            Shapes ``(batch, channels, frames, mels)``, ``(batch,)`` and ``(batch, labels)``.
        """
        options, device = self.options.augment, self.fabric.device
        numbers = [example.utterance for example in batch]
        log_mel, frames = self.data.batch(batch, at_least=self.segment)
        log_mel, frames = log_mel.to(device), frames.to(device)
        targets = functional.one_hot(
            torch.from_numpy(self.data.targets[numbers]), len(self.data.labels)
        ).float()
        targets = targets.to(device)
        draws = Draws.of(numbers, seed=self.seed, epoch=epoch)
        log_mel, frames = augment(log_mel, frames, draws, options, self.network.features.options)
        log_mel = functional.pad(log_mel, (0, 0, 0, max(self.segment - log_mel.shape[1], 0)))
        statistics = (
            self._enrolled(numbers, epoch).to(device)
            if self.network.features.options.norm == "enrol"
            else _of_batch(self.statistics, batch, self.data, device)
        )
        x = self.network.features.stack(log_mel, frames, statistics)
        if self.segment:  # zero-padded segments are not masked
            frames = torch.full_like(frames, x.shape[2])
        if options.mixup:
            shares = mixup_shares(numbers, seed=self.seed, epoch=epoch, alpha=options.mixup)
            x, frames, targets = mixup(x, frames, targets, shares)
        return x, frames, targets

    def _enrolled(self, numbers: Sequence[int], epoch: int) -> Tensor:
        """Statistics from a random number of other training utterances of each speaker."""
        rows = []
        for number in numbers:
            rng = np.random.default_rng([self.seed, epoch, number, ENROL_STREAM])
            speaker = self.data.speakers[number]
            theirs = np.flatnonzero(self.data.speakers[self.utterances] == speaker)
            theirs = theirs[self.utterances[theirs] != number]
            most = min(MOST_ENROLLED, len(theirs))
            # none in a third of the cases, else a number that is uniform in its logarithm
            count = 0 if rng.random() < 1 / 3 else int((most + 1) ** rng.random())
            chosen = rng.choice(theirs, count, replace=False)
            rows.append(self.enroller.enrolled(self.moments[chosen.tolist()]))
        return torch.stack(rows)

    def judge(self, training_loss: float, validation: Sequence[int], since: float) -> None:
        """Append the epoch to the history; keep its weights if they are worth it.

        Args:
            training_loss: mean loss of the epoch.
            validation: numbers of the utterances that judge.
            since: when the epoch began, by :func:`time.perf_counter`.
        """
        seconds = time.perf_counter() - since
        network = self.average
        is_last = len(self.history.epochs) + 1 == self.options.epochs
        if self.options.batch_norm == "population" and (validation or is_last):
            network = self._with_population_statistics()
        if validation:
            loss, uar, error = self._validated(network, validation)
            seconds = time.perf_counter() - since
            epoch = Epoch(training_loss, loss, uar, error, seconds)
        else:
            epoch = Epoch(training_loss, seconds=seconds)
        self.history.epochs.append(epoch)
        if self.history.kept_epoch(self.options.tolerance) == len(self.history.epochs) - 1:
            self.kept = {
                name: value.detach().cpu().clone() for name, value in network.state_dict().items()
            }

    @torch.no_grad()
    def _with_population_statistics(self) -> Network:
        """Copy the averaged network, with batch normalisation statistics of the training set."""
        network = copy.deepcopy(self.average).train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None  # the mean over all batches
        epoch = len(self.history.epochs)
        rng = np.random.default_rng([self.seed, epoch])
        drawn = datasets.batches(self._drawn(rng), self.options.batch, rng, at_least=self.segment)
        for batch in drawn:
            x, frames, _ = self._prepared(batch, epoch)
            network.backbone(x, frames)
        return network.eval()

    def _validated(self, network: Network, validation: Sequence[int]) -> tuple[float, float, float]:
        """Loss, UAR and its standard error of a network."""
        probabilities = posteriors(network, self.data, validation, self.options)
        targets = self.data.targets[list(validation)]
        likelihood = probabilities[np.arange(len(targets)), targets].clip(1e-12)
        names = np.array(self.data.labels)
        counts = metrics.confusion(
            names[targets].tolist(), names[probabilities.argmax(axis=1)].tolist(), self.data.labels
        )
        loss = float(-np.log(likelihood).mean())
        return loss, float(metrics.uar_of(counts)), metrics.uar_standard_error(counts)

    def _set_rate(self, step: int) -> None:
        total = self.options.epochs * self.steps_per_epoch
        warmup = max(round(self.options.warmup * total), 1)
        share = min((step + 1) / warmup, 1.0)
        if self.options.schedule == "cosine" and step >= warmup:
            share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * share

    @torch.no_grad()
    def _average(self, step: int) -> None:
        window = max(self.options.averaging * self.options.epochs * self.steps_per_epoch, 1.0)
        decay = 1 - 1 / window
        share = (1 - decay) / (1 - decay ** (step + 1))
        theirs = self.network.backbone.state_dict()
        ours = self.average.backbone.state_dict()
        names = [name for name, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [ours[name] for name in names], [theirs[name] for name in names], share
        )

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


def _fabric(device: str, precision: Precision) -> "Fabric":
    from lightning_fabric import Fabric  # slow to load, and only who trains needs it

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces bfloat16
    return Fabric(accelerator=device, devices=1, precision=precision)


def _of_batch(
    statistics: Statistics | None, batch: Sequence[Example], data: Spectrograms, device: Any
) -> Tensor | None:
    if not statistics:
        return None
    speakers = [data.speakers[example.utterance] for example in batch]
    return torch.stack([statistics[speaker] for speaker in speakers]).to(device)
