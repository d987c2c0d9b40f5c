"""Audio files and arrays to waveforms, the input of the network: 16 kHz, mono, float32."""

from emotone.audio.files import SUFFIXES, blocks, decode, read
from emotone.audio.resampling import SAMPLE_RATE, Resampler, Waveform, from_array

__all__ = [
    "SAMPLE_RATE",
    "SUFFIXES",
    "Resampler",
    "Waveform",
    "blocks",
    "decode",
    "from_array",
    "read",
]
