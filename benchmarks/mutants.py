"""Mutation run: which small faults in the code do the tests let through?

    python benchmarks/mutants.py [MODULE…] [--most 100] [--seed 0]

mutmut makes mutants of each module, copies with one small fault each, and runs the tests of the
same name, ``tests/training/test_loss.py`` for ``src/emotone/training/loss.py``. A random sample
of at most ``--most`` mutants per module is run, the same for the same seed. The working folder is
``out/mutants``; ``out/mutants.md`` has the counts and each surviving mutant. Functions with
decorators and code that runs at import have no mutants.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

ROOT = Path(__file__).parents[1]
WORK, PAGE = ROOT / "out" / "mutants", ROOT / "out" / "mutants.md"
SOURCES = ["training/*.py", "features/*.py", "evaluation/*.py", "audio/windows.py"]
COPIED = ["src", "tests", "pyproject.toml"]
JOBS = 2
# forkserver, because PyTorch's threads do not survive a fork of the process that ran tests; the
# time limit of a mutant is that of its tests, multiplied
SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["{module}"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["{tests}"]
process_isolation = "forkserver"
timeout_multiplier = 5.0
use_git_change_detection = false
"""


def main() -> None:
    """Run the mutants of the modules asked for, all by default; write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", type=Path, help="below src; all by default")
    parser.add_argument("--most", type=int, default=100, help="mutants of a module")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    asked = parser.parse_args()
    modules = [path.resolve().relative_to(ROOT) for path in asked.modules] or [
        path.relative_to(ROOT)
        for pattern in SOURCES
        for path in sorted((ROOT / "src/emotone").glob(pattern))
    ]
    rows, survivors = [], []
    for module in modules:
        names = sample(module, asked.most, asked.seed)
        if not names:
            continue
        start = time.perf_counter()
        counts, found = run(module, names)
        survivors += found
        seconds = time.perf_counter() - start
        row = [module, len(names), counts["killed"], counts["timeout"], len(found), round(seconds)]
        rows.append(f"| {' | '.join(map(str, row))} |")
        print(rows[-1], flush=True)
        PAGE.write_text(page(rows, survivors, asked.most, asked.seed), encoding="utf-8")


def sample(module: Path, most: int, seed: int) -> list[str]:
    """Names of the mutants of a module, or of ``most`` drawn at random."""
    made = mutate_file_contents(str(module), (ROOT / module).read_text("utf-8"), None, None)
    names = [get_mutant_name(module, name) for name in made.mutant_names]
    return random.Random(seed).sample(names, most) if len(names) > most else names


def run(module: Path, names: list[str]) -> tuple[dict[str, int], list[str]]:
    """Run the tests of a module on mutants of it.

    Returns:
        Numbers of mutants by outcome, and the difference that each surviving mutant makes.
    """
    tests = Path("tests") / module.parent.name / f"test_{module.stem}.py"
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, WORK / name)
    with (WORK / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(module=module.as_posix(), tests=tests.as_posix()))
    mutmut("run", "--max-children", str(JOBS), *names)
    mutmut("export-cicd-stats")
    counts = json.loads((WORK / "mutants/mutmut-cicd-stats.json").read_text("utf-8"))
    outcomes = dict(line.strip().split(": ") for line in mutmut("results").splitlines() if line)
    missed = [name for name in names if outcomes.get(name) in ("survived", "no tests")]
    return counts, [mutmut("show", name) for name in missed]


def mutmut(*arguments: str) -> str:
    """Run a command of mutmut; return what it prints, or show that and stop if it fails."""
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} … failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def page(rows: list[str], survivors: list[str], most: int, seed: int) -> str:
    """Return counts per module and all surviving mutants in Markdown."""
    lines = [
        "# Mutants",
        "",
        f"At most {most} of each module with seed {seed}, by `python benchmarks/mutants.py`.",
        "",
        "| module | mutants | killed | timed out | survived | seconds |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        *(f"```diff\n{text.strip()}\n```\n" for text in survivors),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
