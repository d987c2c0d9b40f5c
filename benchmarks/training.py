"""Training on one core: an epoch of the default, compared with a plain implementation.

    python benchmarks/training.py [--quick]

The plain implementation has the same layers and augmentation, in float32, with shuffled batches,
PyTorch's own batch normalisation, pooling, optimiser and bidirectional LSTM over packed sequences.
A second version of it has emotone's batches of similar length. The 3-D ACRNN is that of
``model.kind=acrnn-3d``. Epochs alternate in one process; the figures are medians. The floor is the
time of three times the multiply-adds of the forward pass at the rate of a large matrix product in
the same precision. The time of reading the spectrograms and, in every step, weights, gradients and
both moments at the rate of a large copy is given, too.

Emotone's precision is bfloat16, or float32 on a processor without such instructions; there,
emulated bfloat16 is measured, too.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any, cast
from unittest import mock

import torch
from recognition import bandwidth, peak, seconds_of
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emotone import corpora
from emotone.corpora.synthetic import SyntheticOptions
from emotone.features import FeatureOptions, Features
from emotone.models.acrnn import Acrnn3dOptions
from emotone.models.crnn import CRNN, CrnnOptions
from emotone.models.network import multiply_adds
from emotone.models.summaries import SUMMARIES
from emotone.training import batching, spectrograms
from emotone.training.hardware import keep_memory, usable_precision
from emotone.training.loop import Learner
from emotone.training.options import TrainingOptions

EMOTONE, PLAIN = "emotone", "plain implementation"
EMULATED = "emotone, emulated bfloat16"
DTYPES = {"bf16-mixed": torch.bfloat16, "32-true": torch.float32}
SORTED = "plain implementation, batches of similar length"


class PlainCRNN(nn.Module):
    """A plain implementation of the default network; padding is not masked before the LSTM."""

    def __init__(self, ours: CRNN) -> None:
        super().__init__()
        options = ours.options
        self.options = options
        self.convolutions = nn.ModuleList(cast(Any, block).convolutions[0] for block in ours.blocks)
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in options.channels)
        self.lstm = nn.LSTM(
            ours.lstm.forwards.input_size, options.lstm, batch_first=True, bidirectional=True
        )
        self.summary = SUMMARIES[options.summary](2 * options.lstm)
        self.hidden, self.output = ours.hidden, ours.output

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Features and lengths to logits."""
        for convolution, norm, stride, pool in zip(
            self.convolutions,
            self.norms,
            self.options.time_strides,
            self.options.mel_pools,
            strict=True,
        ):
            x = functional.max_pool2d(functional.relu(norm(convolution(x))), (1, pool))
            lengths = (lengths + stride - 1) // stride
        sequence = x.permute(0, 2, 1, 3).flatten(2)
        packed = pack_padded_sequence(
            sequence, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        unpacked, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=sequence.shape[1]
        )
        vector = functional.relu(self.hidden(self.summary(unpacked, lengths)))
        return cast(Tensor, self.output(vector))


class PlainLearner(Learner):
    """Trains :class:`PlainCRNN`; the last weights are kept, not an average.

    Attributes:
        similar: whether batches are of similar length, as emotone's are, or as they come.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        network = cast(Any, self.network)
        network.backbone = PlainCRNN(network.backbone)
        self.backbone = self.fabric.setup_module(network.backbone)
        self.optimizer = torch.optim.AdamW(
            network.backbone.parameters(),
            lr=self.options.learning_rate,
            weight_decay=self.options.weight_decay,
        )
        self.average = self.network
        self.similar = False

    def train_epoch(self) -> tuple[float, float]:
        """Train for an epoch; return the mean loss and the seconds of audio."""
        of_similar_length = batching.POOL_BATCHES
        batching.POOL_BATCHES = of_similar_length if self.similar else 1
        try:
            return super().train_epoch()
        finally:
            batching.POOL_BATCHES = of_similar_length

    def _average(self, step: int) -> None: ...


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller corpus, fewer epochs")
    quick = parser.parse_args().quick
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    keep_memory()
    with tempfile.TemporaryDirectory() as folder:
        corpus = corpora.read_all(
            [SyntheticOptions(root=Path(folder) / "corpus", speakers=4 if quick else 16)]
        )
        everything = list(range(len(corpus.table)))

        def learner(
            kind: type[Learner],
            features: FeatureOptions,
            model: CrnnOptions | Acrnn3dOptions,
            options: TrainingOptions,
        ) -> Learner:
            data = spectrograms.load_or_compute(corpus, Features(features), Path(folder) / "cache")
            return kind(
                data, everything, features=features, model=model, options=options, seed=0,
                device="cpu",
            )  # fmt: skip

        ours = learner(Learner, FeatureOptions(), CrnnOptions(), TrainingOptions())
        float32 = TrainingOptions(precision="32-true")
        plain = learner(PlainLearner, FeatureOptions(), CrnnOptions(), float32)
        segments = TrainingOptions(segment_s=3.0, crop=1.0, batch=32, precision="bf16-mixed")
        large = learner(Learner, FeatureOptions(mels=40), Acrnn3dOptions(), segments)
        ways = {EMOTONE: ours, PLAIN: plain, SORTED: plain, "3-D ACRNN": large}
        rounds = dict.fromkeys(ways, 3 if quick else 7) | {"3-D ACRNN": 0 if quick else 1}
        precision = usable_precision("bf16-mixed", "cpu")
        if precision == "32-true":
            with mock.patch(
                "emotone.training.hardware.usable_precision", lambda asked, device: asked
            ):
                emulated = learner(Learner, FeatureOptions(), CrnnOptions(), TrainingOptions())
            ways |= {EMULATED: emulated}
            rounds |= {EMULATED: 1}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        audio_s: dict[str, float] = {}

        def epoch(name: str) -> None:
            cast(Any, plain).similar = name == SORTED
            _, audio_s[name] = ways[name].train_epoch()

        for name, count in rounds.items():
            if count > 1:
                epoch(name)  # to prepare kernels
        for number in range(max(rounds.values())):
            for name, count in rounds.items():
                if number < count:
                    taken[name].append(seconds_of(lambda name=name: epoch(name)))
        floor = 3 * multiply_adds(ours.network) * audio_s[EMOTONE] / peak(DTYPES[precision])
        weights = sum(value.nbytes for value in ours.network.parameters())
        read = ours.data.values.nbytes * ours.options.crop
        moved = (read + 4 * weights * ours.steps_per_epoch) / bandwidth()
    medians = {name: statistics.median(times) for name, times in taken.items() if times}
    where = "" if precision == "bf16-mixed" else " on a processor without bfloat16 instructions"
    print(f"\n## Training{where}, `python benchmarks/training.py`\n")
    print(
        f"An epoch of {len(everything)} utterances of synthetic speech, one core; the floor of "
        f"emotone's is {floor:.2f} s in {precision}, moving its bytes {moved:.3f} s.\n"
    )
    print("| an epoch of | seconds | times real time | time relative to emotone |")
    print("|---|---|---|---|")
    for name, each in medians.items():
        print(f"| {name} | {each:.2f} | {audio_s[name] / each:.0f} | "
              f"{each / medians[EMOTONE]:.1f} |")  # fmt: skip
    print(f"\nEmotone's is {medians[EMOTONE] / floor:.1f} times the floor.")


if __name__ == "__main__":
    main()
