"""Speech emotion recognition that can be trusted: a small CNN + BLSTM on log-mel spectrograms."""

from importlib.metadata import version

__version__ = version("emotone")
