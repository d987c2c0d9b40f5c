"""The exceptions of emotone: one small family, each with the exit code of the command line."""

__all__ = [
    "AudioError",
    "CorpusError",
    "EmotoneError",
    "FoldError",
    "ModelError",
    "NoSpeechError",
    "OutsideError",
    "SpeechTypeError",
    "StorageError",
    "UsageError",
]


class EmotoneError(Exception):
    """Base of all user-facing errors; the message says what to do."""

    exit_code = 1


class UsageError(EmotoneError):
    """The request is wrong: an unknown option, a bad value, a folder of another experiment."""

    exit_code = 2


class AudioError(EmotoneError):
    """A file or an array is not usable as audio."""


class NoSpeechError(AudioError):
    """A recording can be decoded and is silent, or holds no speech where only speech counts."""


class OutsideError(AudioError):
    """A turn or another stretch is outside of its recording, or on a channel that it has not."""


class SpeechTypeError(AudioError, TypeError):
    """What was given as speech is neither a file nor an array with its rate."""


class CorpusError(EmotoneError):
    """A corpus is missing, unreadable or not the one that the configuration names."""


class FoldError(EmotoneError):
    """The speakers or classes of a corpus do not allow the requested protocol."""


class ModelError(EmotoneError):
    """A model is missing, damaged or newer, cannot be exported, or gives no finite numbers."""


class StorageError(EmotoneError):
    """A result could not be written or read back."""
