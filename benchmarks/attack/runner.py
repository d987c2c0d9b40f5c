"""Runs the targets one after another, each in its share of the time, and writes the page."""

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from benchmarks.attack import audio_files, kills, model_folders, server, user_files, yaml_files
from benchmarks.attack.outcome import KINDS, Plan, Tally

MOST_LISTED = 15  # faults of a kind
MINUTE_S = 60.0


@dataclass(frozen=True)
class Target:
    """What is attacked, and its share of the time."""

    title: str
    attack: Callable[[Plan], None]
    share: float


TARGETS = {
    "audio": Target("audio files", audio_files.attack, 4),
    "models": Target("model folders", model_folders.attack, 6),
    "yaml": Target("YAML", yaml_files.attack, 1),
    "server": Target("server", server.attack, 3),
    "kills": Target("kills", kills.attack, 2),
    "files": Target("user's files", user_files.attack, 2),
}


def run(
    targets: dict[str, Target],
    *,
    seed: int = 0,
    minutes: float = 15.0,
    quick: bool = False,
    only: tuple[str, ...] = (),
    keep: Path | None = None,
) -> tuple[str, bool]:
    """Attack all targets.

    Args:
        targets: by name.
        seed: of everything random.
        minutes: time of all targets together; what one leaves over is for those after it.
        quick: whether to try a twentieth of the cases.
        only: names of the cases to try; all if empty.
        keep: folder for the files of the attack; ``None`` for a temporary one.

    Returns:
        The page in Markdown, and whether anything failed.
    """
    end = time.monotonic() + 60 * minutes
    tallies = {name: Tally(target.title) for name, target in targets.items()}
    lines = _Lines()
    with (
        nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as root,
        _progress() as progress,
    ):
        for place, (name, target) in enumerate(targets.items()):
            shares = sum(one.share for one in list(targets.values())[place:])
            start = time.monotonic()
            folder = Path(root).resolve() / name
            folder.mkdir(parents=True)
            tally, task = tallies[name], progress.add_task(target.title, total=None)

            def advance(tally: Tally = tally, task: TaskID = task) -> None:
                total = max(tally.planned, tally.tried)
                progress.update(task, completed=tally.tried, total=total)
                lines.advance(tally)

            share = (end - start) * target.share / shares
            target.attack(Plan(seed, folder, start + share, tally, quick, only, advance))
            tally.seconds = time.monotonic() - start
    options = f" --seed {seed}" * (seed != 0) + " --quick" * quick
    return page(tallies, options), any(tally.faults for tally in tallies.values())


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip


class _Lines:
    """Where there is no terminal, a line a minute."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def advance(self, tally: Tally) -> None:
        if not sys.stderr.isatty() and time.monotonic() - self._shown > MINUTE_S:
            self._shown = time.monotonic()
            failed = len({case for case, _ in tally.faults})
            print(f"{tally.name}: {tally.tried} tried, {failed} failed", file=sys.stderr)


def page(tallies: dict[str, Tally], options: str = "") -> str:
    """Return the tables of what was tried and what failed, in Markdown."""
    rows = []
    for tally in tallies.values():
        tried = f"{tally.tried:,}"
        if tally.tried < tally.planned:
            tried += f" of {tally.planned:,}"
        counts = [tally.failed(kind) for kind in KINDS]
        rows.append([tally.name, tried, *counts, f"{tally.seconds:.0f}"])
    minutes = sum(tally.seconds for tally in tallies.values()) / 60
    return "\n".join(
        [
            "# emotone under attack",
            "",
            f"`make attack`, or `python -m benchmarks.attack{options}`; {minutes:.0f} minutes on "
            f"{os.cpu_count()} cores. The columns count cases with a fault of that kind.",
            "",
            *_table(["target", "tried", *KINDS, "seconds"], rows),
            *(line for name, tally in tallies.items() for line in _faults(name, tally, options)),
            "",
        ]
    )


def _faults(name: str, tally: Tally, options: str) -> list[str]:
    if not tally.faults:
        return []
    again = f"python -m benchmarks.attack{options.replace(' --quick', '')} --only {name} --case"
    rows = [
        [fault.kind, _cell(fault.what), count, f"`{again} {shlex.quote(case)}`"]
        for case, fault, count in tally.listed(MOST_LISTED)
    ]
    return ["", f"## {tally.name}", "", *_table(["kind", "seen", "times", "again"], rows)]


def _table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


def _cell(text: str) -> str:
    short = " ".join(text.split())
    short = short if len(short) < 160 else f"{short[:160]}…"
    return short.replace("|", "\\|").replace("`", "'")
