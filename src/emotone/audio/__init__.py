"""Audio files and arrays to waveforms, the input of the network: 16 kHz, mono, float32."""

from emotone.audio.decoding import Truncated
from emotone.audio.files import blocks, decode, read
from emotone.audio.folders import SUFFIXES, Folder, search
from emotone.audio.resampling import SAMPLE_RATE, Resampler, Waveform, from_array

__all__ = [
    "SAMPLE_RATE",
    "SUFFIXES",
    "Folder",
    "Resampler",
    "Truncated",
    "Waveform",
    "blocks",
    "decode",
    "from_array",
    "read",
    "search",
]
