"""Audio files of all formats, and files that are not usable."""

import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emotone import audio
from emotone.errors import AudioError
from tests.helpers import loudest_hz, tone


def encode(path: Path, codec: str, rate: int, samples: NDArray[np.float64]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(
            samples.astype(np.float32)[None], format="fltp", layout="mono"
        )
        frame.rate = rate
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_reads_what_libsndfile_reads(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([tone(rate)] * channels, axis=1), rate)
    waveform = audio.read(path)
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    assert len(waveform) == pytest.approx(16_000, abs=2_400)  # MP3 pads
    assert loudest_hz(waveform) == pytest.approx(440, abs=2)
    assert np.abs(waveform[4000:12000]).max() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("tone.m4a", "aac", 44_100),
        ("tone.webm", "libopus", 48_000),
        ("tone.opus", "libopus", 48_000),
    ],
)
def test_reads_what_only_ffmpeg_reads(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = tmp_path / name
    encode(path, codec, rate, tone(rate))
    waveform = audio.read(path)
    assert len(waveform) == pytest.approx(16_000, abs=2_400)
    assert loudest_hz(waveform) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 48_000, 96_000, 192_000])
def test_any_rate_keeps_length_and_pitch(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(rate), rate)
    waveform = audio.read(path)
    assert len(waveform) == pytest.approx(16_000, abs=1)
    assert loudest_hz(waveform) == pytest.approx(440, abs=1)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "six.wav"
    samples = np.zeros((1600, 6))
    samples[:, 2] = 0.6
    soundfile.write(path, samples, 16_000)
    np.testing.assert_allclose(audio.read(path), 0.1, atol=1e-4)


@pytest.mark.parametrize("suffix", ["wav", "m4a"])
def test_a_part_equals_the_same_part_of_the_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    if suffix == "wav":
        soundfile.write(path, tone(16_000, 2.0), 16_000)
    else:
        encode(path, "aac", 16_000, tone(16_000, 2.0))
    np.testing.assert_allclose(audio.read(path, 0.5, 1.25), audio.read(path)[8_000:20_000])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        audio.read(tmp_path / "gone.wav")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty\.wav: the file is empty"):
        audio.read(tmp_path / "empty.wav")


def test_text_is_not_audio(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is not audio, whatever its name says\n" * 50)
    with pytest.raises(AudioError, match=r"text\.wav: not audio that can be decoded"):
        audio.read(tmp_path / "text.wav")


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no audio stream"):
        audio.read(path)


def test_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "known.webm", "libopus", 48_000, tone(48_000))
    content = (tmp_path / "known.webm").read_bytes()
    assert content.count(b"A_OPUS") == 1
    (tmp_path / "unknown.webm").write_bytes(content.replace(b"A_OPUS", b"A_XXXX"))
    with pytest.raises(AudioError, match=r"unknown\.webm: no decoder for its audio"):
        audio.read(tmp_path / "unknown.webm")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    soundfile.write(path, tone(16_000) + np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"cut\.\w+: truncated"):
        audio.read(path)


def test_nan_in_a_file_is_refused(tmp_path: Path) -> None:
    samples = tone(16_000)
    samples[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav: contains NaN"):
        audio.read(tmp_path / "nan.wav")


def test_a_part_outside_the_file_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(16_000), 16_000)
    with pytest.raises(AudioError, match="did you give times in milliseconds"):
        audio.read(tmp_path / "tone.wav", 500, 900)
    with pytest.raises(AudioError, match="the end after the start"):
        audio.read(tmp_path / "tone.wav", 0.5, 0.5)


def test_one_sample_and_silence_are_audio(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 16_000)
    assert len(audio.read(tmp_path / "one.wav")) == 1
    soundfile.write(tmp_path / "silent.wav", np.zeros(160), 16_000)
    assert not audio.read(tmp_path / "silent.wav").any()


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**30])
@pytest.mark.parametrize("suffix", [".wav", ".caf"])
def test_files_of_no_rate_of_speech_are_refused_at_once(
    tmp_path: Path, rate: int, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, np.zeros(100), rate)
    start = time.monotonic()
    with pytest.raises(AudioError, match=rf"must be from 1000 Hz to 1000000 Hz, got {rate} Hz"):
        audio.read(path)
    assert time.monotonic() - start < 2
