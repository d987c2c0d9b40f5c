"""Audio files and arrays to waveforms, the input of the network: 16 kHz, mono, float32."""

from emotone.audio.decoding import Truncated
from emotone.audio.files import blocks, channels, decode, read
from emotone.audio.folders import SUFFIXES, Folder, search
from emotone.audio.resampling import SAMPLE_RATE, Channels, Resampler, Waveform, from_array

__all__ = [
    "SAMPLE_RATE",
    "SUFFIXES",
    "Channels",
    "Folder",
    "Resampler",
    "Truncated",
    "Waveform",
    "blocks",
    "channels",
    "decode",
    "from_array",
    "read",
    "search",
]
