"""Speed-up by more processes, and the cost of a thousand hours of audio; writes docs/scale.md.

    python benchmarks/scale.py [--quick]

Times whole commands with one process and with one per core, alternating; medians for short rounds:
``emotone predict`` over many files and ``emotone crossval`` on synthetic speech, here and on a Ray
cluster of this machine that has one core or all.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from recognition import SECONDS, seconds_of, write_files

from emotone.experiments.overrides import PRESETS

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
CORES = os.cpu_count() or 1
ROUNDS = 3  # of recognition
DISTINCT = 100  # files; the others are links to them
MACHINES = (1, 8, 32)  # of the plan
CORES_EACH = 16
SEPARATE = "by separate commands with a share of the files each"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer files and epochs")
    quick = parser.parse_args().quick
    count = 500 if quick else 5000
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts = [place / f"part{number}" for number in range(CORES)]
        for part in parts:
            part.mkdir()
        for number, file in enumerate(write_files(place, DISTINCT)):
            for copy in range(count // DISTINCT):
                (parts[copy % CORES] / f"{number}-{copy}.wav").symlink_to(file)

        answers = place / "answers.csv"
        epochs = f"training.epochs={2 if quick else 15}"

        def predict(*where: object) -> float:
            answers.unlink(missing_ok=True)
            seconds = emotone("predict", *parts, "--output", answers, *where)
            assert len(answers.read_text().splitlines()) == count + 1
            return seconds

        def apart(commands: int) -> float:
            if commands == 1:
                return predict("--jobs", 1)
            with ThreadPoolExecutor(CORES) as side_by_side:
                return seconds_of(lambda: list(side_by_side.map(alone, parts)))

        def alone(part: Path) -> None:
            output = part.with_suffix(".csv")
            output.unlink(missing_ok=True)
            run("-m", "emotone", "predict", part, "--output", output, "--jobs", 1)

        def crossval(*where: object) -> float:
            return emotone("crossval", PRESETS / "demo.yaml", epochs, "--out", new(place), *where)

        def on_cluster(cores: int, command: Callable[..., float]) -> float:
            with cluster(cores):
                return command("--cluster", "auto")

        recognition = f"`emotone predict`, {count} files of {SECONDS:g} s"
        works: dict[str, Callable[[int], float]] = {
            recognition: lambda jobs: predict("--jobs", jobs),
            f"{recognition}, {SEPARATE}": apart,
            f"{recognition}, on Ray": lambda cores: on_cluster(cores, predict),
            "`emotone crossval`, the demo": lambda jobs: crossval(f"runtime.jobs={jobs}"),
            "`emotone crossval`, the demo, on Ray": lambda cores: on_cluster(cores, crossval),
        }
        taken = {}
        for name, work in works.items():
            rounds = ROUNDS if name.startswith(recognition) and not quick else 1
            pairs = [(work(1), work(CORES)) for _ in range(rounds)]
            taken[name, 1], taken[name, CORES] = map(statistics.median, zip(*pairs, strict=True))
    PAGE.write_text(page(list(works), taken, count), encoding="utf-8")


def emotone(*arguments: object) -> float:
    """Run a command of emotone; returns the seconds that it took."""
    return seconds_of(lambda: run("-m", "emotone", *arguments))


def run(*arguments: object) -> None:
    """Run Python."""
    subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)


def new(place: Path) -> Path:
    """A folder that is not there yet."""
    return place / f"out{len(list(place.glob('out*')))}"


@contextmanager
def cluster(cores: int) -> Iterator[None]:
    """A Ray cluster of this machine."""
    ray = Path(sys.executable).parent / "ray"
    start = [ray, "start", "--head", f"--num-cpus={cores}", "--include-dashboard=false"]
    subprocess.run(start, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([ray, "stop", "--force"], check=True, capture_output=True)


def page(names: list[str], taken: dict[tuple[str, int], float], count: int) -> str:
    """Return the page, made from what was measured."""
    alone = taken[names[0], 1]
    speed = count * SECONDS / alone
    core_hours = 1000 / speed
    gain = taken[names[0], 1] / taken[names[0], CORES]
    share = gain / CORES
    lines = [
        "# From one core to a cluster",
        "",
        f"Written by `python benchmarks/scale.py` on a machine of {CORES} cores; whole commands,",
        f"start-up included; for recognition, medians of {ROUNDS} alternating rounds.",
        "",
        f"| command | one process, s | {CORES} processes, s | ratio |",
        "|---|---|---|---|",
    ]
    for name in names:
        one, many = taken[name, 1], taken[name, CORES]
        lines.append(f"| {name} | {one:.1f} | {many:.1f} | {one / many:.2f} |")
    lines += [
        "",
        "Separate commands do not communicate, so their ratio is the upper limit on this machine.",
        "",
        f"One core processes {speed:.0f} hours of audio per hour: **1000 hours cost "
        f"{core_hours:.1f} hours of one core**, reading",
        "and resampling included. Memory does not grow with the number or the length of files.",
        "",
        "## The plan",
        "",
        "1. One machine: `emotone predict FOLDER --jobs CORES --output answers.csv`. Run it "
        "again to resume after a kill.",
        "2. Several machines that share a disk: the same with `--cluster auto` in place of "
        "`--jobs`. Without one: a folder of files and an output for each machine.",
        "3. Experiments: `emotone crossval` or `ablate` with `--cluster`; see "
        "[use many machines](how-to/cluster.md).",
        "4. One network: `emotone train`, on a GPU with `runtime.device=cuda`. Several runs at "
        "once use the cores, by `runtime.jobs`, or the machines, by `--cluster`. Training one "
        "network on several GPUs is not offered; use PyTorch's DDP or Lightning outside of "
        "emotone.",
        "",
        f"With {share:.0%} of the ideal gain, as measured here on {CORES} cores, machines of "
        f"{CORES_EACH} cores need:",
        "",
        "| machines | cores | 1000 hours take | 10,000 hours take |",
        "|---|---|---|---|",
    ]
    for machines in MACHINES:
        cores = machines * CORES_EACH
        hours = core_hours / (cores * share)
        lines.append(f"| {machines} | {cores} | {60 * hours:.1f} min | {600 * hours:.0f} min |")
    lines += [
        "",
        "The arithmetic: hours of audio / (hours per hour of one core × cores × share of the ideal "
        "gain). Disks and networks",
        f"must deliver {speed * 32_000 / 1e6:.0f} MB/s of 16-bit WAV at 16 kHz per core.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
