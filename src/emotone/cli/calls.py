"""``emotone predict`` of calls, tables and windows: what goes together, and the page of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotone.cli.verbosity import chosen
from emotone.errors import UsageError

if TYPE_CHECKING:
    from emotone.audio import Truncated
    from emotone.inference.call import Call
    from emotone.inference.manner import Manner
    from emotone.inference.recognizer import Recognizer
    from emotone.inference.sources import Sources


@dataclass(frozen=True)
class Asked:
    """Options that decide how files are divided.

    Attributes:
        windows: window and hop in seconds; ``None`` without ``--segments``.
        channels: ``mix`` or ``split``.
        turns: file of turns.
        report: page of a call.
        others: values of options that some ways do not have, by name.
    """

    windows: tuple[float, float] | None
    channels: str
    turns: Path | None
    report: Path | None
    others: Mapping[str, Any]

    @property
    def is_call(self) -> bool:
        """Whether the files are calls."""
        return self.channels == "split" or self.turns is not None or self.report is not None


def manner_of(sources: "Sources", asked: Asked) -> "Manner | None":
    """Return how to recognise files; ``None`` as a whole.

    Raises:
        UsageError: if options exclude each other, or turns cannot be used.
    """
    from emotone.inference.manner import AsCall, InRows, InWindows

    if asked.is_call:
        from emotone.inference.calls import call_options

        _check_call(sources, asked)
        recording = str(sources.files[0])
        return AsCall(call_options(asked.channels, asked.turns, asked.windows, recording))
    if sources.spans:
        if asked.windows or asked.others["--embeddings"] or asked.others["--plot"]:
            raise UsageError(
                "a table with start and end asks for an answer per row; leave out --segments, "
                "--plot and --embeddings"
            )
        return InRows(sources.spans)
    return InWindows(*asked.windows) if asked.windows else None


def write_report(
    recognizer: "Recognizer",
    file: Path,
    manner: "Manner | None",
    calls: "Sequence[Call]",
    report: Path,
    truncated: "Truncated",
    *,
    force: bool,
) -> None:
    """Write the page of a call, which was recognised before unless an output had it already."""
    from rich.console import Console

    from emotone.inference.manner import AsCall
    from emotone.reporting.call_report import write

    assert isinstance(manner, AsCall)
    with Console(stderr=True).status("writing the report"):  # seconds for an hour
        found = calls or [manner.answer(recognizer, file, truncated, lambda seconds: None)]
        for path in write(found[0], file, recognizer, report, truncated, force=force):
            chosen.note(f"report: {path}")


def _check_call(sources: "Sources", asked: Asked) -> None:
    """Refuse what calls do not have."""
    files, of_calls = sources.files, "--channels split, --turns or --report"
    if asked.report is not None and (len(files) != 1 or str(files[0]) == "-"):
        raise UsageError(f"--report {asked.report} is of one recording; give the path of one")
    if asked.turns is not None and len(files) != 1:
        raise UsageError(
            f"--turns {asked.turns} is of one recording, got {len(files)}; give one at a time"
        )
    for option in ("--embeddings", "--plot", "--speaker", "--neutral"):
        if asked.others[option]:
            raise UsageError(f"{option} cannot be combined with {of_calls}; leave it out")
    if sources.spans:
        raise UsageError(
            f"a table with start and end cannot be combined with {of_calls}; give the recordings"
        )
