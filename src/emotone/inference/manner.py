"""How files are recognised: as a whole, in windows, in the rows of a table, or as a call."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from emotone.audio import Truncated
from emotone.inference.call import Call
from emotone.inference.calls import Advance, recognise
from emotone.inference.listening import CallOptions
from emotone.inference.prediction import Segment
from emotone.inference.recognizer import Recognizer
from emotone.inference.spans import Span
from emotone.inference.speaker import fingerprint


class Manner(Protocol):
    """A way to recognise files that gives several rows for each.

    Attributes:
        columns: of the rows, before those of the prediction.
    """

    columns: ClassVar[tuple[str, ...]]

    def answer(
        self, recognizer: Recognizer, file: Path, truncated: Truncated, advance: Advance
    ) -> Sequence[Segment] | Call:
        """Recognise a file.

        Args:
            recognizer: the recogniser.
            file: audio file.
            truncated: see :meth:`emotone.Recognizer.predict`.
            advance: called with the seconds of audio just processed.

        Raises:
            AudioError: if the file cannot be used.
        """

    def settings(self) -> dict[str, Any]:
        """Return what the answers depend on, for the record beside an output."""


@dataclass(frozen=True)
class InWindows:
    """In windows; ``window`` and ``hop`` in seconds."""

    window: float
    hop: float
    columns: ClassVar[tuple[str, ...]] = ("start", "end")

    def answer(
        self, recognizer: Recognizer, file: Path, truncated: Truncated, advance: Advance
    ) -> Sequence[Segment]:
        """See :class:`Manner`."""
        return recognizer.segments(
            file, window=self.window, hop=self.hop, truncated=truncated, advance=advance
        )

    def settings(self) -> dict[str, Any]:
        """See :class:`Manner`."""
        return {"segments": True, "window": float(self.window), "hop": float(self.hop)}


@dataclass(frozen=True)
class InRows:
    """In the spans of each file, by its absolute path; as a whole if it has none."""

    spans: Mapping[Path, Sequence[Span]]
    columns: ClassVar[tuple[str, ...]] = ("start", "end")

    def answer(
        self, recognizer: Recognizer, file: Path, truncated: Truncated, advance: Advance
    ) -> Sequence[Segment]:
        """See :class:`Manner`."""
        spans = self.spans.get(file.absolute(), [Span()])
        found = recognizer.spans(file, spans, truncated=truncated)
        advance(max(one.end for one in found))
        return found

    def settings(self) -> dict[str, Any]:
        """See :class:`Manner`."""
        rows = {
            str(file): [(one.start, one.end) for one in ones] for file, ones in self.spans.items()
        }
        return {"table": fingerprint(json.dumps(rows, sort_keys=True))}


@dataclass(frozen=True)
class AsCall:
    """As a call; see :meth:`emotone.Recognizer.call`.

    Attributes:
        options: how.
    """

    options: CallOptions
    columns: ClassVar[tuple[str, ...]] = ("start", "end", "speaker")

    def answer(
        self, recognizer: Recognizer, file: Path, truncated: Truncated, advance: Advance
    ) -> Call:
        """See :class:`Manner`."""
        return recognise(recognizer, file, self.options, truncated, advance)

    def settings(self) -> dict[str, Any]:
        """See :class:`Manner`."""
        window, hop = map(float, self.options.windows) if self.options.windows else (None, None)
        turns = "pauses" if window is None else None
        if self.options.turns:
            given = [(one.start, one.end, one.speaker, one.channel) for one in self.options.turns]
            turns = fingerprint(json.dumps(given))
        return {
            "channels": "split" if self.options.split else "mix",
            "turns": turns,
            "window": window,
            "hop": hop,
        }
