"""What the installed package weighs, and how soon it answers.

    python benchmarks/install.py [--model MODEL]

installs the package without extras into an empty environment, with the versions of
constraints.txt, and measures there: bytes on disk, ``import emotone``, and a process from its start
to its first answer. Medians of nine processes.
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


def seconds_of(command: list[str]) -> float:
    """Median of the wall-clock seconds of a process."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Install, measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="model folder or name; the shipped one by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "env"
        print("installing …", file=sys.stderr)
        venv.create(place, with_pip=True)
        python = str(place / "bin" / "python")
        empty = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        install = ["-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
        subprocess.run([python, *install, str(ROOT)], check=True)
        whole = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        names = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True
        ).stdout.split()
        wav = Path(folder) / "a.wav"
        rng = np.random.default_rng(0)
        soundfile.write(wav, 0.1 * rng.standard_normal(48_000), 16_000)
        chosen = ["--model", asked.model] if asked.model else []
        nothing = seconds_of([python, "-c", ""])
        imported = seconds_of([python, "-c", "import emotone"])
        answered = seconds_of([python, "-m", "emotone", "predict", str(wav), *chosen])
    print("\n## Installation, `python benchmarks/install.py`\n")
    print("| | |\n|---|---|")
    print(f"| installed size without extras | {(whole - empty) / 1e6:.0f} MB |")
    print(f"| packages | {len(names) - 2} |")
    print(f"| `python -c ''` | {nothing:.2f} s |")
    print(f"| `import emotone`, beyond that | {imported - nothing:.2f} s |")
    print(f"| process start to first answer, `emotone predict a.wav` | {answered:.2f} s |")


if __name__ == "__main__":
    main()
