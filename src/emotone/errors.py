"""The exceptions of emotone: one small family, each with the exit code of the command line."""


class EmotoneError(Exception):
    """Base of all errors that a user can mend; its message says how."""

    exit_code = 1


class UsageError(EmotoneError):
    """The request is wrong: an unknown option, a bad value, a folder of another experiment."""

    exit_code = 2


class AudioError(EmotoneError):
    """A file or an array is not usable as audio."""


class CorpusError(EmotoneError):
    """A corpus is not where it was said to be, or not what it was said to be."""


class FoldError(EmotoneError):
    """The speakers or classes of a corpus do not allow the protocol asked for."""


class ModelError(EmotoneError):
    """A model folder is not one, is damaged or of a newer format, or cannot be exported."""


class StorageError(EmotoneError):
    """A result could not be written or read back."""
