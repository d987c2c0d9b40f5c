"""Files of every container: whole ones are complete, cut ones are not; the shared cases."""

import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from emotone import audio
from emotone.audio import containers
from emotone.errors import AudioError
from tests.helpers import DATA, voice

RATE = 16_000
CASES = DATA.parent / "cases"
SOUND = voice(3, 8.0)


def by_libsndfile(path: Path, format: str, subtype: str | None = None) -> None:
    soundfile.write(path, SOUND, RATE, format=format, subtype=subtype)


def by_ffmpeg(path: Path, codec: str, channels: int = 1, rate: int = RATE) -> None:
    layout = {1: "mono", 2: "stereo", 8: "7.1", 16: "hexadecagonal"}[channels]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        packed = np.repeat(SOUND, channels)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.rate = RATE
        resampler = av.AudioResampler(
            format=stream.format, layout=layout, rate=rate, frame_size=stream.frame_size or 1024
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


WRITERS: dict[str, Callable[[Path], None]] = {
    "wav": lambda path: by_libsndfile(path, "WAV"),
    "rf64": lambda path: by_libsndfile(path, "RF64"),
    "w64": lambda path: by_libsndfile(path, "W64"),
    "aiff": lambda path: by_libsndfile(path, "AIFF"),
    "au": lambda path: by_libsndfile(path, "AU"),
    "caf": lambda path: by_libsndfile(path, "CAF"),
    "flac": lambda path: by_libsndfile(path, "FLAC"),
    "ogg": lambda path: by_libsndfile(path, "OGG", "VORBIS"),
    "opus": lambda path: by_libsndfile(path, "OGG", "OPUS"),
    "mp3": lambda path: by_libsndfile(path, "MP3"),
    "m4a": lambda path: by_ffmpeg(path, "aac"),
    "mov": lambda path: by_ffmpeg(path, "pcm_s16le"),
    "mka": lambda path: by_ffmpeg(path, "aac"),
    "webm": lambda path: by_ffmpeg(path, "libopus", rate=48_000),
    "avi": lambda path: by_ffmpeg(path, "pcm_s16le"),
}


MESSAGES = {"flac": "(truncated|damaged|not audio)"}  # FLAC says nothing of its bytes


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_without_its_end_is_refused_unless_accepted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"whole.{suffix}"
    WRITERS[suffix](path)
    whole = audio.read(path)
    assert len(whole) / RATE == pytest.approx(8.0, abs=0.15)
    content = path.read_bytes()
    for share in (0.3, 0.5, 0.8, 0.95):
        cut = tmp_path / f"cut.{suffix}"
        cut.write_bytes(content[: int(len(content) * share)])
        message = MESSAGES.get(suffix, "truncated")
        with pytest.raises(AudioError, match=rf"cut\.{suffix}: {message}"):
            audio.read(cut)
        if suffix in ("m4a", "mov"):  # their tables are last
            continue
        part = audio.read(cut, truncated="accept")
        assert 0 < len(part) < len(whole)
        np.testing.assert_array_equal(
            np.concatenate(list(audio.blocks(cut, truncated="accept"))), part
        )


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x80000000, 0xFFFFFF00, 0xFFFFFFFF, 8, 44])
def test_wav_with_a_length_that_is_not_known_or_miscounted(tmp_path: Path, length: int) -> None:
    by_libsndfile(tmp_path / "tone.wav", "WAV")
    content = bytearray((tmp_path / "tone.wav").read_bytes())
    at = content.index(b"data") + 4
    true = int.from_bytes(content[at : at + 4], "little")
    content[at : at + 4] = (true + length if 0 < length < 100 else length).to_bytes(4, "little")
    (tmp_path / "pipe.wav").write_bytes(content)
    np.testing.assert_array_equal(
        audio.read(tmp_path / "pipe.wav"), audio.read(tmp_path / "tone.wav")
    )


def test_what_follows_an_empty_wav_is_not_taken_for_sound() -> None:
    chunk = b"LIST\4\0\0\0abcd"
    empty = b"RIFF" + (36 + 12).to_bytes(4, "little") + b"WAVEdata\0\0\0\0" + chunk
    assert not containers.sound_to_the_end(io.BytesIO(empty))
    assert containers.sound_to_the_end(io.BytesIO(empty[:-12] + b"\x01\x80" * 50))


@pytest.mark.parametrize("suffix", ["ogg", "opus", "mp3"])
@pytest.mark.parametrize("times", [2, 3])
def test_files_joined_end_to_end_are_read_to_the_end(
    tmp_path: Path, suffix: str, times: int
) -> None:
    WRITERS[suffix](tmp_path / f"one.{suffix}")
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes((tmp_path / f"one.{suffix}").read_bytes() * times)
    one, waveform = audio.read(tmp_path / f"one.{suffix}"), audio.read(joined)
    assert len(waveform) == pytest.approx(times * len(one), abs=times * 0.15 * RATE)
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks(joined))), waveform)
    assert np.square(waveform[-RATE:]).mean() > 1e-3


@pytest.mark.parametrize("before", [b"ID3\4\0\0\0\0\7\x76" + bytes(1014), b"", bytes(700)])
def test_mp3_with_a_tag_or_cut_at_its_start_is_read(tmp_path: Path, before: bytes) -> None:
    WRITERS["mp3"](tmp_path / "one.mp3")
    content = (tmp_path / "one.mp3").read_bytes()
    cut = 0 if before else 700
    (tmp_path / "other.mp3").write_bytes(before + content[cut:])
    assert len(audio.read(tmp_path / "other.mp3")) / RATE == pytest.approx(8.0, abs=0.2)


@pytest.mark.parametrize(
    ("suffix", "codec", "channels"),
    [("m4a", "aac", 8), ("mka", "pcm_f32le", 16), ("m4a", "aac", 2), ("mka", "pcm_s16le", 8)],
)
def test_any_number_of_channels_from_ffmpeg(
    tmp_path: Path, suffix: str, codec: str, channels: int
) -> None:
    path = tmp_path / f"many.{suffix}"
    by_ffmpeg(path, codec, channels)
    samples, _ = audio.decode(path)
    assert samples.shape[1] == channels
    assert np.square(audio.read(path)).mean() == pytest.approx(np.square(SOUND).mean(), rel=0.35)


SECONDS = {
    "mp3-vbr-without-header.mp3": 12.67,
    "mp3-cbr-with-id3.mp3": 12.67,
    "ogg-two-chained.ogg": 15.67,
    "opus-two-chained.opus": 15.67,
    "wav-length-7ffff000.wav": 3.08,
    "wav-length-0.wav": 3.08,
    "wav-length-8-too-long.wav": 3.08,
    "m4a-latin1-tag.m4a": 3.08,
    "mov-first-stream-unknown.mov": 3.08,
    "m4a-8-channels.m4a": 2.0,
    "stereo-one-channel-inverted.wav": 3.08,
}
REFUSED = {
    "mkv-unknown-codec.mkv": "no decoder",
    "headerless.raw": "no audio stream",
    "aiff-half.aiff": "truncated",
    "ogg-half.ogg": "truncated",
    "float-spike-1e30.wav": r"sample \d+ is 1e\+30",
    "wav-unknown-codec.wav": "no decoder",
}


def case(name: str) -> Path:
    if not (CASES / name).is_file():
        pytest.skip("the shared cases are not on this machine")
    return CASES / name


@pytest.mark.parametrize("name", SECONDS)
def test_shared_cases_are_heard(name: str) -> None:
    waveform = audio.read(case(name))
    assert len(waveform) / RATE == pytest.approx(SECONDS[name], abs=0.1)
    assert np.square(waveform).mean() > 1e-4
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks(case(name)))), waveform)


@pytest.mark.parametrize("name", REFUSED)
def test_shared_cases_are_refused_by_name(name: str) -> None:
    with pytest.raises(AudioError, match=rf"{name}: .*{REFUSED[name]}"):
        audio.read(case(name))
