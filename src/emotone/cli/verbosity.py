"""``--verbose`` and ``--quiet``, which every command has: how much goes to standard error."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from emotone.errors import UsageError

GENERAL = "General"
LINE_S = 60.0  # at most this long between two lines of progress where there is no terminal
VERBOSE_LINE_S = 1.0

Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", rich_help_panel=GENERAL,
        help="Print more: a line per epoch or second, and the traceback of an error.",
    ),
]  # fmt: skip
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", rich_help_panel=GENERAL,
        help="Print results and errors only: no progress, no notes.",
    ),
]  # fmt: skip


class Verbosity:
    """What was asked for; there is one, :data:`chosen`, as there is one command line."""

    verbose = False
    quiet = False

    @property
    def line_s(self) -> float:
        """Longest time between two lines of progress where there is no terminal, in seconds."""
        return VERBOSE_LINE_S if self.verbose else LINE_S

    def note(self, text: str) -> None:
        """Print a line that is neither a result nor an error."""
        if not self.quiet:
            typer.echo(text, err=True)


chosen = Verbosity()


def with_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--verbose`` and ``--quiet`` to a command."""

    @wraps(command)
    def run(*, verbose: bool, quiet: bool, **arguments: Any) -> None:
        if verbose and quiet:
            raise UsageError("--verbose and --quiet exclude each other; give one of them")
        chosen.verbose, chosen.quiet = verbose, quiet
        command(**arguments)

    added = {"verbose": Verbose, "quiet": Quiet}
    signature = inspect.signature(command)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in added.items()
    ]
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *parameters]
    )
    run.__annotations__ = command.__annotations__ | added
    return run
