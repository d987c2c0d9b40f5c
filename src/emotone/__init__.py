"""Speech emotion recognition that can be trusted: a small CNN + BLSTM on log-mel spectrograms."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emotone.inference.call import Call, SpeakerSummary, Turn
    from emotone.inference.prediction import Prediction, Segment
    from emotone.inference.recognizer import Recognizer, load
    from emotone.inference.spans import Span
    from emotone.inference.stream import Stream

    __version__: str

__all__ = [
    "Call",
    "Prediction",
    "Recognizer",
    "Segment",
    "Span",
    "SpeakerSummary",
    "Stream",
    "Turn",
    "load",
]
MODULES = {"Span": "spans"} | dict.fromkeys(("Call", "SpeakerSummary", "Turn"), "call")


def __getattr__(name: str) -> Any:
    """Import the recogniser on first use, so that ``import emotone`` is quick."""
    if name == "__version__":
        from importlib.metadata import version

        return version("emotone")
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"emotone.inference.{MODULES.get(name, 'recognizer')}"), name)
    raise AttributeError(f"module 'emotone' has no attribute '{name}'")
