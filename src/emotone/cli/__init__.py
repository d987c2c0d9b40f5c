"""The command line: thin commands over functions that a notebook calls just as well."""

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

INTERRUPTED = 130  # exit code after Ctrl-C

__all__ = ["main"]


def main() -> None:
    """Run the command line; errors and Ctrl-C, whenever it comes, are one line."""
    interrupted = False

    def interrupt(_number: int, _frame: object) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        from emotone.cli.app import run  # takes a while, in which Ctrl-C may come

        run()
    except BaseException:
        if not interrupted:
            raise
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process is about to end
        resumes = any(argument.startswith("--out") for argument in sys.argv)
        again = "; run the same command again to continue" if resumes else ""
        print(f"stopped{again}", file=sys.stderr, flush=True)
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(INTERRUPTED)  # not sys.exit: an interrupted import may have changed how that ends
    finally:
        if not interrupted:
            signal.signal(signal.SIGINT, before)
