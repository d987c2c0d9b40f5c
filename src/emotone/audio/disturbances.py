"""What happens to speech before it is heard: noise, rooms, narrow bands, codecs, levels.

All functions take and return waveforms of shape ``(samples,)`` at 16 kHz and do not change the
position of the speech, except that a room, a codec or silence may make it longer.
"""

import io
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emotone.audio.resampling import SAMPLE_RATE, Waveform, from_array

Codec = Literal["mp3", "opus", "aac", "amr", "g722", "mu_law"]
CODECS: tuple[Codec, ...] = get_args(Codec)
ACTIVE_DB = -30.0  # below the loudest frame; what is quieter is a pause
FRAME = SAMPLE_RATE // 40  # samples of 25 ms
TINY = 1e-12  # power

# container, encoder, rate in Hz, bit rates in bit/s
_ENCODERS: dict[Codec, tuple[str, str, int, tuple[int, ...]]] = {
    "mp3": ("mp3", "libmp3lame", 16_000, (16_000, 24_000, 32_000, 64_000)),
    "opus": ("ogg", "libopus", 16_000, (8_000, 12_000, 16_000, 24_000)),
    "aac": ("adts", "aac", 16_000, (16_000, 24_000, 32_000, 48_000)),
    "amr": ("amr", "libopencore_amrnb", 8_000, (4_750, 7_400, 12_200)),
    "g722": ("wav", "g722", 16_000, (64_000,)),
    "mu_law": ("wav", "pcm_mulaw", 8_000, (64_000,)),
}


def speech_power(waveform: Waveform) -> float:
    """Mean power of what is at most 30 dB below the loudest 25 ms, so pauses do not count."""
    frames = np.pad(waveform, (0, -len(waveform) % FRAME)).reshape(-1, FRAME)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    active = power >= power.max(initial=0) * 10 ** (ACTIVE_DB / 10)
    return float(power[active].mean()) if len(power) else 0.0


def add_noise(speech: Waveform, noise: Waveform, snr_db: float) -> Waveform:
    """Add noise, repeated or cut to the length of the speech.

    Args:
        speech: waveform; its power is that of :func:`speech_power`.
        noise: waveform of any length; of mean power.
        snr_db: ratio of both powers in dB.
    """
    noise = np.resize(noise, len(speech))
    power = float(np.square(noise, dtype=np.float64).mean())
    gain = np.sqrt(speech_power(speech) / max(power, TINY) * 10 ** (-snr_db / 10))
    return _single(speech + gain * noise)


def coloured_noise(rng: Generator, samples: int, slope_db_per_octave: float = 0.0) -> Waveform:
    """Gaussian noise of power one: 0 dB per octave is white, -3 pink, -6 brown."""
    size = _fft_size(samples)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    gain_db = slope_db_per_octave * np.log2(np.maximum(hz, 20.0) / 1000.0)
    noise = np.fft.irfft(spectrum * 10 ** (gain_db / 20), size)[:samples]
    return _single(noise / max(noise.std(), TINY))


def hum(rng: Generator, samples: int) -> Waveform:
    """Mains hum of power one: 50 or 60 Hz and its harmonics at random levels and phases."""
    base = rng.choice([50.0, 60.0])
    time = np.arange(samples) / SAMPLE_RATE
    total = np.zeros(samples)
    for order in range(1, 16):
        level_db = -rng.uniform(0, 4) * order
        phase = rng.uniform(0, 2 * np.pi)
        total += 10 ** (level_db / 20) * np.sin(2 * np.pi * base * order * time + phase)
    return _single(total / max(total.std(), TINY))


def music(rng: Generator, samples: int) -> Waveform:
    """Something like music, of power one: chords of decaying harmonic tones, a beat apart."""
    total = np.zeros(samples)
    beat = int(rng.uniform(0.2, 0.6) * SAMPLE_RATE)
    root = rng.uniform(80, 200)
    for start in range(0, samples, beat):
        time = np.arange(samples - start) / SAMPLE_RATE
        chord = root * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11]) / 12)
        for interval in (0, rng.choice([3, 4]), 7):
            hz = chord * 2 ** (interval / 12 + rng.integers(0, 3))
            decay = np.exp(-time * rng.uniform(1, 6))
            tones = sum(np.sin(2 * np.pi * n * hz * time) / n for n in range(1, 6))
            total[start:] += rng.uniform(0.3, 1) * decay * tones
    return _single(total / max(total.std(), TINY))


def babble(rng: Generator, speakers: Sequence[Waveform], samples: int) -> Waveform:
    """Several people who talk at once, each from a random place on and as loud as the others.

    Args:
        rng: random generator.
        speakers: speech of each of them, repeated where it is too short.
        samples: length of the result.
    """
    total = np.zeros(samples)
    for speech in speakers:
        turned = np.roll(speech, int(rng.integers(len(speech))))
        total += np.resize(turned, samples) / np.sqrt(max(speech_power(speech), TINY))
    return _single(total)


def in_room(speech: Waveform, response: Waveform) -> Waveform:
    """Convolve with the impulse response of a room; the power of the speech stays.

    The direct sound, the largest value of the response, keeps its place in time. The result ends
    with the speech, so late reverberation is cut.
    """
    direct = int(np.abs(response).argmax())
    size = _fft_size(len(speech) + len(response))
    wet = np.fft.irfft(np.fft.rfft(speech, size) * np.fft.rfft(response, size), size)
    wet = wet[direct : direct + len(speech)]
    return _as_loud(wet, speech)


def synthetic_room(rng: Generator, rt60_s: float) -> Waveform:
    """Impulse response of a random room: direct sound, early reflections, decaying noise.

    Args:
        rng: random generator.
        rt60_s: time in seconds over which reverberation decays by 60 dB.
    """
    samples = max(int(rt60_s * SAMPLE_RATE), 2 * FRAME)
    time = np.arange(samples) / SAMPLE_RATE
    tail = coloured_noise(rng, samples, rng.uniform(-3, 0)) * 10 ** (-3 * time / rt60_s)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0  # before the first reflection
    direct_db = rng.uniform(-3, 12)  # over reverberation
    response = tail / np.sqrt(np.square(tail).sum() * 10 ** (direct_db / 10))
    for _ in range(rng.integers(2, 8)):
        response[rng.integers(16, 20 * SAMPLE_RATE // 1000)] += rng.uniform(-0.4, 0.4)
    response[0] = 1.0
    return _single(response)


def filtered(waveform: Waveform, gain_db: NDArray[np.float64], hz: NDArray[np.float64]) -> Waveform:
    """Change the level of each frequency, without delay.

    Args:
        waveform: to filter.
        gain_db: of some frequencies; linear between them over the logarithm of frequency.
        hz: these frequencies, in ascending order.
    """
    size = _fft_size(len(waveform) + FRAME)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0))
    gain = 10 ** (np.interp(octaves, np.log2(hz), gain_db) / 20)
    spectrum = np.fft.rfft(waveform, size) * gain
    return _single(np.fft.irfft(spectrum, size)[: len(waveform)])


def band_limited(
    waveform: Waveform, low_hz: float, high_hz: float, db_per_octave: float = 48.0
) -> Waveform:
    """Attenuate below and above a band."""
    hz = np.geomspace(1.0, SAMPLE_RATE / 2, 400)
    octaves = np.log2(low_hz / hz).clip(min=0) + np.log2(hz / high_hz).clip(min=0)
    return filtered(waveform, (-db_per_octave * octaves).clip(min=-120), hz)


def through_codec(waveform: Waveform, codec: Codec, bit_rate: int | None = None) -> Waveform:
    """Encode and decode, as telephones, messengers and recorders do.

    Args:
        waveform: to encode; what exceeds ±1 is clipped.
        codec: ``amr`` and ``mu_law`` are narrow-band, with 8 kHz.
        bit_rate: in bit/s; ``None`` for the codec's highest.

    Returns:
        As long as the input, without the delay of the codec.
    """
    container, encoder, rate, bit_rates = _ENCODERS[codec]
    encoded = _encoded(waveform, container, encoder, rate, bit_rate or bit_rates[-1])
    decoded = from_array(*_decoded(encoded))
    return _aligned(decoded, waveform)


def bit_rates(codec: Codec) -> tuple[int, ...]:
    """Bit rates in bit/s that are usual for a codec."""
    return _ENCODERS[codec][3]


def automatic_gain(waveform: Waveform, attack_s: float = 0.05, release_s: float = 0.5) -> Waveform:
    """Bring quiet parts up to the level of loud ones, as recorders and phones do, up to 30 dB."""
    frames = np.pad(waveform, (0, -len(waveform) % FRAME)).reshape(-1, FRAME)
    levels = np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1) + TINY)
    followed, level = np.empty_like(levels), levels.max()
    for number, now in enumerate(levels):
        time = attack_s if now > level else release_s
        level += (now - level) * (1 - np.exp(-FRAME / SAMPLE_RATE / time))
        followed[number] = level
    gain = (levels.max() / followed).clip(max=10 ** (30 / 20))
    centres = (np.arange(len(levels)) + 0.5) * FRAME
    return _single(waveform * np.interp(np.arange(len(waveform)), centres, gain))


def clipped(waveform: Waveform, share: float) -> Waveform:
    """Clip the loudest ``share`` of all samples."""
    limit = float(np.quantile(np.abs(waveform), 1 - share)) if len(waveform) else 0.0
    return waveform.clip(-limit, limit) if limit > 0 else waveform


def surrounded(waveform: Waveform, before_s: float, after_s: float) -> Waveform:
    """Put digital silence before and after."""
    before, after = (round(seconds * SAMPLE_RATE) for seconds in (before_s, after_s))
    return np.pad(waveform, (before, after))


def _as_loud(waveform: NDArray[np.float64], as_speech: Waveform) -> Waveform:
    scaled = _single(waveform)
    return _single(scaled * np.sqrt(speech_power(as_speech) / max(speech_power(scaled), TINY)))


def _single(waveform: NDArray[Any]) -> Waveform:
    single: Waveform = waveform.astype(np.float32)
    return single


def _fft_size(samples: int) -> int:
    """Return the smallest power of two that is large enough, or three quarters of it."""
    size = 1 << max(samples - 1, 1).bit_length()
    return 3 * size // 4 if 3 * size // 4 >= samples else size


def _encoded(
    waveform: Waveform, container: str, encoder: str, rate: int, bit_rate: int
) -> io.BytesIO:
    import av  # takes 0.1 s to load

    file = io.BytesIO()
    samples = (waveform.clip(-1, 1) * 32767).astype(np.int16)[None]
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(encoder, rate=rate)  # typed as if it could be video
        stream.bit_rate, stream.layout = bit_rate, "mono"
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = SAMPLE_RATE
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    file.seek(0)
    return file


def _decoded(file: io.BytesIO) -> tuple[NDArray[np.float32], int]:
    import av

    with av.open(file, "r") as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=stream.rate)
        frames = [
            piece for frame in container.decode(stream) for piece in resampler.resample(frame)
        ]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return samples.astype(np.float32), int(stream.rate)


def _aligned(waveform: Waveform, original: Waveform) -> Waveform:
    """Shift by the lag of the largest correlation, at most 0.1 s, and cut or pad to its length."""
    size = _fft_size(len(waveform) + len(original))
    correlation = np.fft.irfft(
        np.fft.rfft(waveform, size) * np.conj(np.fft.rfft(original, size)), size
    )
    lag = int(correlation[: SAMPLE_RATE // 10].argmax())
    shifted = waveform[lag : lag + len(original)]
    return np.pad(shifted, (0, len(original) - len(shifted)))
