"""The log-mel front end on one core, compared with kaldi-native-fbank and librosa.

    python benchmarks/frontend.py [--quick]

Frames of 25 ms every 10 ms, a Hann window, 64 mel bands, natural logarithm, waveforms in memory.
The settings are the same for all. They alternate in one process; the figures are medians. The floor
is the time of the multiply-adds of the Fourier transform and the filters at the rate of a large
matrix product. The time of reading samples and writing log-mel at the rate of a large copy is
given, too.
"""

import argparse
import math
import os
import statistics
from collections.abc import Callable

import numpy as np
import torch
from recognition import RATE, SECONDS, bandwidth, clip, peak, seconds_of

from emotone.features import FFT_SIZE, FeatureOptions, Features

BATCH = 16


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer clips and rounds")
    count, rounds = (16, 3) if parser.parse_args().quick else (64, 15)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    import kaldi_native_fbank
    import librosa

    options = FeatureOptions()
    features = Features(options).eval()
    clips = [clip(number) for number in range(count)]
    stacked = torch.from_numpy(np.stack(clips))
    length = torch.tensor([stacked.shape[1]])

    @torch.inference_mode()
    def ours(batch: int) -> None:
        for part in stacked.split(batch):
            features.log_mel(part, length.expand(len(part)))

    kaldi = kaldi_native_fbank.FbankOptions()
    kaldi.frame_opts.samp_freq, kaldi.frame_opts.dither = RATE, 0.0
    kaldi.frame_opts.frame_length_ms, kaldi.frame_opts.frame_shift_ms = 25.0, 10.0
    kaldi.frame_opts.window_type, kaldi.frame_opts.preemph_coeff = "hanning", 0.0
    kaldi.frame_opts.remove_dc_offset = False
    kaldi.mel_opts.num_bins = options.mels

    def native() -> None:
        for one in clips:
            computer = kaldi_native_fbank.OnlineFbank(kaldi)
            computer.accept_waveform(RATE, memoryview(one))  # faster than a list
            computer.input_finished()
            np.stack([computer.get_frame(t) for t in range(computer.num_frames_ready)])

    def with_librosa() -> None:
        for one in clips:
            power = librosa.feature.melspectrogram(
                y=one, sr=RATE, n_fft=FFT_SIZE, win_length=options.window, hop_length=options.hop,
                n_mels=options.mels,
            )  # fmt: skip
            np.log(np.maximum(power, 1e-10))

    ways: dict[str, Callable[[], None]] = {
        "emotone, clip by clip": lambda: ours(1),
        f"emotone, in batches of {BATCH}": lambda: ours(BATCH),
        "kaldi-native-fbank": native,
        "librosa": with_librosa,
    }
    for work in ways.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            taken[name].append(seconds_of(work))
    medians = {name: statistics.median(times) / count for name, times in taken.items()}
    frames = 1 + stacked.shape[1] // options.hop
    transform = 2.5 * FFT_SIZE * math.log2(FFT_SIZE) / 2  # of a real transform, 2 per multiply-add
    multiply_adds = frames * (transform + options.mels * (FFT_SIZE // 2 + 1))
    floor = multiply_adds / peak()
    moved = 4 * (stacked.shape[1] + frames * options.mels) / bandwidth()
    print("\n## Front end, `python benchmarks/frontend.py`\n")
    print(f"{count} clips of {SECONDS:g} s, one core, medians of {rounds} rounds; the floor is "
          f"{1000 * floor:.2f} ms per clip, moving its bytes {1000 * moved:.3f} ms.\n")  # fmt: skip
    print("| log-mel of | ms per clip | times real time | time over kaldi's | over the floor |")
    print("|---|---|---|---|---|")
    for name, each in medians.items():
        print(f"| {name} | {1000 * each:.2f} | {SECONDS / each:.0f} | "
              f"{each / medians['kaldi-native-fbank']:.2f} | {each / floor:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
