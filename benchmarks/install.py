"""Size and start-up time of the installed package, compared with PyTorch and transformers.

    python benchmarks/install.py [--model MODEL]

installs each into an empty environment, with the versions of constraints.txt: the package without
extras, and PyTorch with transformers and a saved network of the size of wav2vec2-base with random
weights. Measured are the bytes on disk, the import, and a process from its start to its first
prediction. Medians of nine processes.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
ROUNDS = 9
THEIRS = ["torch", "transformers", "soundfile"]
SAVE = """
import sys
from transformers import Wav2Vec2Config, Wav2Vec2ForSequenceClassification
Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=4)).save_pretrained(sys.argv[1])
"""
ANSWER = """
import sys, soundfile, torch
from transformers import Wav2Vec2ForSequenceClassification
network = Wav2Vec2ForSequenceClassification.from_pretrained(sys.argv[1]).eval()
samples, _ = soundfile.read(sys.argv[2], dtype="float32")
with torch.inference_mode():
    print(network(torch.from_numpy(samples)[None]).logits.argmax())
"""


def main() -> None:
    """Install, measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="model folder or name; the shipped one by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wav, network = place / "a.wav", place / "network"
        rng = np.random.default_rng(0)
        soundfile.write(wav, 0.1 * rng.standard_normal(48_000), 16_000)
        chosen = ["--model", asked.model] if asked.model else []
        ours, our_size, our_count = installed(place / "ours", [str(ROOT)])
        theirs, their_size, their_count = installed(place / "theirs", THEIRS)
        subprocess.run([theirs, "-c", SAVE, network], check=True, capture_output=True)
        nothing = seconds_of([ours, "-c", ""])
        rows = {
            "installed size, MB": (our_size / 1e6, their_size / 1e6, 0),
            "packages": (our_count, their_count, 0),
            "import, s": (
                seconds_of([ours, "-c", "import emotone"]) - nothing,
                seconds_of([theirs, "-c", "import torch, transformers"]) - nothing,
                2,
            ),
            "process start to first prediction, s": (
                seconds_of([ours, "-m", "emotone", "predict", str(wav), *chosen]),
                seconds_of([theirs, "-c", ANSWER, str(network), str(wav)]),
                2,
            ),
        }
    print("\n## Installation, `python benchmarks/install.py`\n")
    print("| | emotone, without extras | PyTorch (CPU) with transformers | ratio |")
    print("|---|---|---|---|")
    for name, (here, there, digits) in rows.items():
        print(f"| {name} | {here:.{digits}f} | {there:.{digits}f} | {there / here:.1f} |")


def installed(place: Path, what: list[str]) -> tuple[str, int, int]:
    """Install into an empty environment; returns its Python, bytes and number of packages."""
    print(f"installing {' '.join(Path(name).name for name in what)} …", file=sys.stderr)
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    before = size(place)
    install = [python, "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*install, *what], check=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout.split()
    return python, size(place) - before, len(listed) - 2  # pip and setuptools were there


def size(place: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def seconds_of(command: list[str]) -> float:
    """Median of the wall-clock seconds of a process."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
