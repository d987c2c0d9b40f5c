"""SIGKILL at random moments; run again, a command must end as if it had not been killed."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import soundfile

from benchmarks.attack import material
from benchmarks.attack.outcome import TRACEBACK, Fault, Plan
from benchmarks.attack.processes import Helper, each, environment

FILES = 40
KILLS = 3  # of a case
CASES = {"jsonl": 6, "csv": 6, "parquet": 6, "segments": 4, "jobs": 4, "crossval": 4}
COMPARED = ("predictions.csv", "folds.json", "config.yaml", "results.json")
DURATION = re.compile(rb'"(seconds|training_s)": [-+.e\d]+')  # what may differ
LIMIT_S = 120.0

Command = Callable[[Path], list[str]]  # of the folder for the output


def attack(plan: Plan) -> None:
    """Compare killed and resumed commands with ones that ran through."""
    recordings = plan.folder / "recordings"
    recordings.mkdir()
    for number in range(FILES):
        soundfile.write(recordings / f"{number}.wav", material.speech(number), material.RATE)
    table = material.corpus(plan.folder / "corpus")
    commands = _commands(recordings, table)
    cases = [f"{name}/{place}" for place in range(max(CASES.values()))
             for name in commands if place < plan.count(CASES[name])]  # fmt: skip
    wanted = [case for case in cases if plan.wants(case)]
    plan.tally.planned = len(wanted)
    whole = {}
    for name in sorted({case.split("/")[0] for case in wanted}):
        folder = plan.folder / name
        folder.mkdir()
        start = time.monotonic()
        ended = _run(commands[name](folder))
        if ended is None or ended.returncode:
            plan.tried(name, Fault("other", f"fails without a kill: {ended and ended.stderr}"))
            continue
        whole[name] = folder, time.monotonic() - start
    each(plan, [(case, case) for case in wanted if case.split("/")[0] in whole],
         partial(_tried, plan, commands, whole), modules=())  # fmt: skip


def _commands(recordings: Path, table: Path) -> dict[str, Command]:
    def predict(suffix: str, *options: str) -> Command:
        start = ["predict", str(recordings), *options, "--output"]
        return lambda out: [*start, str(out / f"out.{suffix}")]

    options = [*material.TINY, "protocol.validation_speakers=1", "seeds=[0,1]"]
    return {
        "jsonl": predict("jsonl"),
        "csv": predict("csv"),
        "parquet": predict("parquet"),
        "segments": predict("jsonl", "--segments", "--window", "0.3", "--hop", "0.1"),
        "jobs": predict("csv", "--jobs", "2"),
        "crossval": lambda out: ["crossval", str(table), *options, "--out", str(out / "out")],
    }


def _tried(
    plan: Plan, commands: dict[str, Command], whole: dict[str, tuple[Path, float]],
    _helper: Helper, case: str, _item: str,
) -> list[Fault]:  # fmt: skip
    name = case.split("/")[0]
    expected, seconds = whole[name]
    rng = random.Random(f"{plan.seed}/{case}")
    folder = plan.folder / case.replace("/", "-")
    folder.mkdir()
    command = commands[name](folder)
    for _kill in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "emotone", *command], env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(rng.uniform(0.2, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    ended = _run(command)
    if ended is None:
        return [Fault("over 20 s", f"takes more than {LIMIT_S:.0f} s after kills")]
    if ended.returncode:
        kind = "traceback" if TRACEBACK in ended.stderr else "lost data"
        last = (ended.stderr.strip() or "no message").splitlines()[-1]
        return [Fault(kind, f"exit code {ended.returncode} after kills: {last}")]
    return _differences(expected, folder)


def _differences(expected: Path, found: Path) -> list[Fault]:
    names = [path for path in expected.rglob("*") if path.is_file()]
    compared = [path.relative_to(expected) for path in names
                if path.name.startswith("out.") or path.name in COMPARED]  # fmt: skip
    return [
        Fault("lost data", f"{name} differs from that of a run without kills")
        for name in compared
        if not (found / name).is_file() or _content(found / name) != _content(expected / name)
    ]


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return DURATION.sub(b"", content) if path.name == "results.json" else content


def _run(command: list[str]) -> "subprocess.CompletedProcess[str] | None":
    try:
        return subprocess.run(
            [sys.executable, "-m", "emotone", *command], env=environment(), timeout=LIMIT_S,
            capture_output=True, text=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
