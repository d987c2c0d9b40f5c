"""Standard output for tables, which needs Rich alone."""

import sys

from rich.console import Console


def console() -> Console:
    """Standard output; names of speakers, labels and corpora are printed as they are."""
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
