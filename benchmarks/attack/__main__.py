"""Attack emotone and print what failed.

    python -m benchmarks.attack [--minutes 15] [--only TARGET] [--case NAME] [--quick]

The exit code is 1 if anything failed.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.attack.runner import TARGETS, run


def main() -> None:
    """Read the arguments, run the attacks, print and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attack", description="Attack emotone and print what failed."
    )
    parser.add_argument("--minutes", type=float, default=15, help="time of all targets together")
    parser.add_argument("--only", action="append", choices=list(TARGETS), help="one target")
    parser.add_argument("--case", action="append", default=[], help="one case of that target")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the cases")
    parser.add_argument("--page", type=Path, help="file for the table, in Markdown")
    parser.add_argument("--keep", type=Path, help="folder for the files of the attack")
    asked = parser.parse_args()
    if asked.case and len(asked.only or ()) != 1:
        parser.error("--case needs one --only")
    targets = {name: TARGETS[name] for name in asked.only or TARGETS}
    page, failed = run(
        targets, seed=asked.seed, minutes=asked.minutes, quick=asked.quick,
        only=tuple(asked.case), keep=asked.keep,
    )  # fmt: skip
    if asked.page is not None:
        asked.page.write_text(page, encoding="utf-8")
    print(page)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
