"""What more processes bring, and what a thousand hours of audio cost; writes docs/scale.md.

    python benchmarks/scale.py [--quick]

Whole commands, from start to end: ``emotone predict`` over many files and ``emotone crossval`` on
synthetic speech, with one process and with one per core, one after the other.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from recognition import SECONDS, seconds_of, write_files

from emotone.config import SHIPPED

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
CORES = os.cpu_count() or 1
DISTINCT = 100  # files; the others are links to them
MACHINES = (1, 8, 32)  # of the plan
CORES_EACH = 16


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer files and epochs")
    quick = parser.parse_args().quick
    count = 500 if quick else 5000
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "files").mkdir()
        for number, file in enumerate(write_files(place / "files", DISTINCT)):
            for copy in range(1, count // DISTINCT):
                (place / "files" / f"{number}-{copy}.wav").symlink_to(file)

        def predict(jobs: int) -> None:
            output = place / "answers.csv"
            output.unlink(missing_ok=True)
            run("predict", place / "files", "--output", output, "--jobs", jobs)
            assert len(output.read_text().splitlines()) == count + 1

        def crossval(jobs: int) -> None:
            number = len(list(place.glob("out*")))
            epochs = f"training.epochs={2 if quick else 20}"
            out = place / f"out{number}"
            run("crossval", SHIPPED / "demo.yaml", epochs, f"runtime.jobs={jobs}", "--out", out)

        works: dict[str, Callable[[int], None]] = {
            f"`emotone predict`, {count} files of {SECONDS:g} s": predict,
            "`emotone crossval`, the demo": crossval,
        }
        taken = {
            (name, jobs): seconds_of(lambda work=work, jobs=jobs: work(jobs))
            for name, work in works.items()
            for jobs in (1, CORES)
        }
    PAGE.write_text(page(list(works), taken, count), encoding="utf-8")


def run(*arguments: object) -> None:
    """Run a command of emotone."""
    command = [sys.executable, "-m", "emotone", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


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
        "start-up included.",
        "",
        f"| command | one process, s | {CORES} processes, s | ratio |",
        "|---|---|---|---|",
    ]
    for name in names:
        one, many = taken[name, 1], taken[name, CORES]
        lines.append(f"| {name} | {one:.1f} | {many:.1f} | {one / many:.2f} |")
    lines += [
        "",
        f"One core hears {speed:.0f} hours per hour: **1000 hours of audio cost {core_hours:.1f} "
        "hours of one core**, reading",
        "and resampling included. Memory does not grow with the number or the length of files.",
        "",
        "## The plan",
        "",
        "1. One machine: `emotone predict FOLDER --jobs CORES --output answers.csv`. Killed, it "
        "continues.",
        "2. Several machines: one folder of files and one output each; the files are independent, "
        "so nothing else is shared.",
        "3. Experiments: `emotone crossval` or `ablate` with `--cluster`; see the README.",
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
