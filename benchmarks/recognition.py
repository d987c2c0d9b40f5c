"""Recognition on one core, from file to prediction, compared with common alternatives.

    python benchmarks/recognition.py [--quick] [--model MODEL]

The same files go through emotone, through openSMILE's eGeMAPSv02 with a linear SVM, and through a
network of the size of wav2vec2-base, built by transformers from its configuration with random
weights: speed does not depend on weights. The systems alternate in one process on one core; the
figures are medians. The floor is the time of the multiply-adds of emotone's network, without the
front end, at the rate of a large matrix product. The time of reading the file and the weights at
the rate of a large copy is given, too.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

import emotone
from emotone.corpora import synthetic
from emotone.inference.averaging import BATCH
from emotone.models.network import multiply_adds
from emotone.models.weights import rebuilt

SECONDS = 3.0
RATE = 16_000
PRODUCT = 1024  # size of the square matrices whose product measures the peak
COPY = 2**26  # numbers whose copy measures the bandwidth: far more than a cache holds


def write_files(folder: Path, count: int) -> list[Path]:
    """Synthetic speech of three seconds each, as 16-bit WAV."""
    files = [folder / f"{number}.wav" for number in range(count)]
    for number, file in enumerate(files):
        soundfile.write(file, clip(number), RATE)
    return files


def clip(number: int) -> NDArray[np.float32]:
    """Synthetic speech of three seconds at 16 kHz, shape ``(samples,)``."""
    emotions = synthetic.EMOTIONS
    parts = [synthetic.utterance(number, emotions[number % len(emotions)], n) for n in range(4)]
    speech = np.concatenate(parts)[: round(SECONDS * RATE)]
    return np.pad(speech, (0, round(SECONDS * RATE) - len(speech)))


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak(kind: torch.dtype = torch.float32) -> float:
    """Multiply-adds per second of a large matrix product, the best of several."""
    square = torch.randn(PRODUCT, PRODUCT).to(kind)
    return PRODUCT**3 / min(seconds_of(lambda: square @ square) for _ in range(20))


def bandwidth() -> float:
    """Bytes per second that a copy of a large array reads and writes, the best of several."""
    array = torch.ones(COPY)
    target = torch.empty_like(array)
    return 2 * array.nbytes / min(seconds_of(lambda: target.copy_(array)) for _ in range(20))


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer files and rounds")
    parser.add_argument("--model", help="model folder or name; the shipped one by default")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    count, rounds = (16, 3) if asked.quick else (64, 9)
    recognizer = emotone.load(asked.model)
    functionals, large = opensmile_svm(), wav2vec2()
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), count)
        few = files[: max(count // 16, 1)]  # for the slow network
        ways: dict[str, tuple[list[Path], Callable[[], object]]] = {
            "emotone, file by file": (files, lambda: [recognizer.predict(file) for file in files]),
            f"emotone, in batches of {BATCH}": (
                files,
                lambda: list(recognizer.predict_many(files)),
            ),
            "openSMILE eGeMAPSv02 + SVM": (
                files,
                lambda: [functionals(file) for file in files],
            ),
            "wav2vec2-base-sized network": (few, lambda: [large(file) for file in few]),
        }
        for _, work in ways.values():
            work()
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (asked_of, work) in ways.items():
                taken[name].append(seconds_of(work) / len(asked_of))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ours = medians["emotone, file by file"]
    network = rebuilt(recognizer.folder)
    floor = SECONDS * multiply_adds(network) / peak(torch.float32)
    weights = sum(value.nbytes for value in network.parameters())
    moved = (2 * SECONDS * RATE + weights) / bandwidth()
    print("## Recognition, `python benchmarks/recognition.py`\n")
    print(f"{count} files of {SECONDS:g} s, one core, medians of {rounds} rounds; the floor is "
          f"{1000 * floor:.1f} ms per file, reading its bytes {1000 * moved:.2f} ms.\n"
    )  # fmt: skip
    print("| from file to prediction | ms per file | times real time | time relative to emotone |")
    print("|---|---|---|---|")
    for name, each in medians.items():
        print(f"| {name} | {1000 * each:.1f} | {SECONDS / each:.0f} | {each / ours:.2f} |")
    batched = medians[f"emotone, in batches of {BATCH}"]
    print(f"\nEmotone in batches takes {batched / floor:.1f} times the floor.")


def opensmile_svm() -> Callable[[Path], int]:
    """Return a function from file to label number: eGeMAPSv02 and a linear SVM."""
    import opensmile
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=1,
    )
    rng = np.random.default_rng(0)
    svm = make_pipeline(StandardScaler(), LinearSVC())
    svm.fit(rng.normal(size=(200, len(smile.feature_names))), rng.integers(4, size=200))
    return lambda file: int(svm.predict(smile.process_file(str(file)).to_numpy())[0])


def wav2vec2() -> Callable[[Path], int]:
    """Return a function from file to label number: a network of 94 million random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForSequenceClassification

    network = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=4)).eval()

    @torch.inference_mode()
    def recognise(file: Path) -> int:
        samples, _ = soundfile.read(file, dtype="float32")
        return int(network(torch.from_numpy(samples)[None]).logits.argmax())

    return recognise


if __name__ == "__main__":
    main()
