"""The front end: waveform to normalised log-mel spectrograms with delta channels.

The frame length of 25 ms and the hop of 10 ms are customary. The mel scale is Slaney's, as in
librosa; deltas are those of the HTK Book.
"""

from emotone.features.frames import deltas, frame_mask
from emotone.features.front_end import POWER_FLOOR, Features
from emotone.features.mel import hz_of_mel, mel_centres, mel_filters, mel_of_hz
from emotone.features.normalization import Moments
from emotone.features.options import FeatureOptions
from emotone.features.spectrum import FFT_SIZE

__all__ = [
    "FFT_SIZE",
    "POWER_FLOOR",
    "FeatureOptions",
    "Features",
    "Moments",
    "deltas",
    "frame_mask",
    "hz_of_mel",
    "mel_centres",
    "mel_filters",
    "mel_of_hz",
]
