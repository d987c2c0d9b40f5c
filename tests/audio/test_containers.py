"""Files of every container: whole ones are complete, cut ones are not; the shared cases."""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from emotone import audio
from emotone.audio import containers
from emotone.errors import AudioError
from tests.helpers import DATA, loudest_hz, tone, voice

RATE = 16_000
CASES = DATA.parent / "cases"
SOUND = voice(3, 8.0)


def by_libsndfile(path: Path, format: str, subtype: str | None = None) -> None:
    soundfile.write(path, SOUND, RATE, format=format, subtype=subtype)


def by_ffmpeg(
    path: Path,
    codec: str,
    channels: int = 1,
    rate: int = RATE,
    muxer: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    start_s: float = 0.0,
) -> None:
    layout = {1: "mono", 2: "stereo", 8: "7.1", 16: "hexadecagonal"}[channels]
    with av.open(str(path), "w", options=muxer or {}) as container:
        container.metadata.update(tags or {})
        options = {"b": "64000"} if codec == "wmav2" else {}
        stream = container.add_stream(codec, rate=rate, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        packed = np.repeat(SOUND, channels)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = round(start_s * RATE)
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
    "aac": lambda path: by_ffmpeg(path, "aac"),
    "m4a": lambda path: by_ffmpeg(path, "aac"),
    "mov": lambda path: by_ffmpeg(path, "pcm_s16le"),
    "mka": lambda path: by_ffmpeg(path, "aac"),
    "webm": lambda path: by_ffmpeg(path, "libopus", rate=48_000),
    "avi": lambda path: by_ffmpeg(path, "pcm_s16le"),
    "fast.m4a": lambda path: by_ffmpeg(path, "aac", muxer={"movflags": "faststart"}),
    "parts.mp4": lambda path: by_ffmpeg(
        path, "aac", muxer={"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"}
    ),
    "live.mka": lambda path: by_ffmpeg(path, "libopus", rate=48_000, muxer={"live": "1"}),
    "wma": lambda path: by_ffmpeg(path, "wmav2", channels=2, rate=44_100),
    "tta": lambda path: by_ffmpeg(path, "tta"),
    "voc": lambda path: by_libsndfile(path, "VOC"),
    "sph": lambda path: by_libsndfile(path, "NIST"),
    "svx": lambda path: by_libsndfile(path, "SVX", "PCM_16"),
}


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix != "aac"])
def test_a_file_without_its_end_is_refused_unless_accepted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"whole.{suffix}"
    WRITERS[suffix](path)
    whole = audio.read(path)
    assert len(whole) / RATE == pytest.approx(8.0, abs=0.15)
    content = path.read_bytes()
    for share in (0.3, 0.5, 0.8, 0.95):
        cut = tmp_path / f"cut.{suffix}"
        cut.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(AudioError, match=rf"cut\.{suffix}: truncated"):
            audio.read(cut)
        if suffix in ("m4a", "mov"):  # their tables are last
            with pytest.raises(AudioError, match=r"truncated: its tables .*nothing can be read"):
                audio.read(cut, truncated="accept")
            continue
        part = audio.read(cut, truncated="accept")
        assert 0 < len(part) <= len(whole)
        assert len(part) / len(whole) == pytest.approx(share, abs=0.16)
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


@pytest.mark.parametrize(
    ("format", "place", "length"),
    [
        ("AU", 8, b"\xff\xff\xff\xff"),
        ("AIFF", b"SSND", b"\xff\xff\xff\xff"),
        ("AIFF", b"SSND", bytes(4)),
        ("CAF", b"data", b"\xff" * 8),
        ("W64", b"data\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a", bytes(8)),
    ],
)
def test_other_containers_from_a_pipe(
    tmp_path: Path, format: str, place: int | bytes, length: bytes
) -> None:
    by_libsndfile(tmp_path / "tone", format)
    content = bytearray((tmp_path / "tone").read_bytes())
    at = place if isinstance(place, int) else content.index(place) + len(place)
    content[at : at + len(length)] = length
    (tmp_path / "pipe").write_bytes(content)
    np.testing.assert_allclose(audio.read(tmp_path / "pipe"), audio.read(tmp_path / "tone"))


def test_gsm_which_cannot_be_searched_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "gsm.wav", SOUND[::2], 8000, subtype="GSM610")
    whole = audio.read(tmp_path / "gsm.wav")
    assert len(whole) / RATE == pytest.approx(8.0, abs=0.05)
    samples, rate = audio.decode(tmp_path / "gsm.wav", 3.0, 4.0)
    assert len(samples) == rate == 8000


@pytest.mark.parametrize("suffix", ["ogg", "opus", "mp3", "flac", "aac", "wav"])
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


def test_chained_streams_of_other_kinds_rates_and_channels(tmp_path: Path) -> None:
    parts: list[tuple[float, int, int, str]] = [
        (3.0, 16_000, 1, "VORBIS"), (4.0, 44_100, 2, "VORBIS"), (2.0, 48_000, 1, "OPUS"),
    ]  # fmt: skip
    content = b""
    for seconds, rate, channels, subtype in parts:
        sound = np.stack([voice(rate, seconds, rate)] * channels, axis=1)
        soundfile.write(tmp_path / "one.ogg", sound, rate, format="OGG", subtype=subtype)
        content += (tmp_path / "one.ogg").read_bytes()
    (tmp_path / "all.ogg").write_bytes(content)
    assert len(audio.read(tmp_path / "all.ogg")) / RATE == pytest.approx(9.0, abs=0.05)
    assert len(audio.read(tmp_path / "all.ogg", 2.5, 7.5)) / RATE == pytest.approx(5.0, abs=0.001)
    (tmp_path / "cut.ogg").write_bytes(content[:-3000])
    with pytest.raises(AudioError, match="truncated: its last page lacks"):
        audio.read(tmp_path / "cut.ogg")
    assert len(audio.read(tmp_path / "cut.ogg", truncated="accept")) > 6.5 * RATE


def test_a_cut_stream_does_not_hide_the_one_after_it(tmp_path: Path) -> None:
    by_libsndfile(tmp_path / "one.ogg", "OGG", "VORBIS")
    content = (tmp_path / "one.ogg").read_bytes()
    (tmp_path / "two.ogg").write_bytes(content[: len(content) // 2] + content)
    with pytest.raises(AudioError, match="truncated: its end-of-stream page is missing"):
        audio.read(tmp_path / "two.ogg")
    heard = audio.read(tmp_path / "two.ogg", truncated="accept")
    assert 10 * RATE < len(heard) < 12.5 * RATE


def test_the_second_of_two_joined_files_may_be_cut(tmp_path: Path) -> None:
    for suffix in ("mp3", "flac", "wav"):
        WRITERS[suffix](tmp_path / f"one.{suffix}")
        content = (tmp_path / f"one.{suffix}").read_bytes()
        (tmp_path / f"two.{suffix}").write_bytes(content + content[: len(content) // 2])
        with pytest.raises(AudioError, match=rf"two\.{suffix}: truncated"):
            audio.read(tmp_path / f"two.{suffix}")
        heard = audio.read(tmp_path / f"two.{suffix}", truncated="accept")
        assert 11 * RATE < len(heard) < 12.5 * RATE


def test_a_tag_before_flac_hides_no_truncation(tmp_path: Path) -> None:
    by_libsndfile(tmp_path / "one.flac", "FLAC")
    content = b"ID3\4\0\0\0\0\7\x76" + bytes(1014) + (tmp_path / "one.flac").read_bytes()
    (tmp_path / "tag.flac").write_bytes(content)
    assert len(audio.read(tmp_path / "tag.flac")) == 8 * RATE
    (tmp_path / "tag.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="truncated: the header promises 128000 samples"):
        audio.read(tmp_path / "tag.flac")


def test_bytes_that_are_no_frames_amid_an_mp3_are_passed_over(tmp_path: Path) -> None:
    WRITERS["mp3"](tmp_path / "one.mp3")
    content = (tmp_path / "one.mp3").read_bytes()
    middle, noise = len(content) // 2, np.random.default_rng(0).bytes(5000)
    (tmp_path / "noise.mp3").write_bytes(content[:middle] + noise + content[middle:])
    heard = audio.read(tmp_path / "noise.mp3")
    assert len(heard) / RATE == pytest.approx(8.0, abs=0.3)
    assert np.square(heard[-RATE:]).mean() > 1e-3


@pytest.mark.parametrize("before", [b"ID3\4\0\0\0\0\7\x76" + bytes(1014), b"", bytes(700)])
def test_mp3_with_a_tag_or_cut_at_its_start_is_read(tmp_path: Path, before: bytes) -> None:
    WRITERS["mp3"](tmp_path / "one.mp3")
    content = (tmp_path / "one.mp3").read_bytes()
    cut = 0 if before else 700
    (tmp_path / "other.mp3").write_bytes(before + content[cut:])
    assert len(audio.read(tmp_path / "other.mp3")) / RATE == pytest.approx(8.0, abs=0.2)


@pytest.mark.parametrize(
    ("suffix", "codec", "channels"),
    [
        ("m4a", "aac", 2), ("m4a", "aac", 8), ("m4a", "aac", 16), ("mka", "libopus", 8),
        ("mka", "pcm_s16le", 8), ("mka", "pcm_f32le", 16), ("wv", "wavpack", 16),
        ("tta", "tta", 8), ("mka", "flac", 8),
    ],
)  # fmt: skip
def test_any_number_of_channels_from_ffmpeg(
    tmp_path: Path, suffix: str, codec: str, channels: int
) -> None:
    path = tmp_path / f"many.{suffix}"
    by_ffmpeg(path, codec, channels, rate=48_000)
    samples, _ = audio.decode(path)
    assert samples.shape[1] == channels
    assert np.square(audio.read(path)).mean() == pytest.approx(np.square(SOUND).mean(), rel=0.35)


def test_wav_files_of_other_rates_that_were_joined(tmp_path: Path) -> None:
    content = b""
    for seconds, rate, channels in ((1.0, 16_000, 1), (2.0, 44_100, 2), (0.5, 8000, 1)):
        sound = np.stack([voice(rate, seconds, rate)] * channels, axis=1)
        soundfile.write(tmp_path / "one.wav", sound, rate)
        content += (tmp_path / "one.wav").read_bytes()
    (tmp_path / "all.wav").write_bytes(content)
    assert len(audio.read(tmp_path / "all.wav")) / RATE == pytest.approx(3.5, abs=0.01)
    assert len(audio.read(tmp_path / "all.wav", 2.5)) / RATE == pytest.approx(1.0, abs=0.01)
    (tmp_path / "all.wav").write_bytes(content + b"RIFF, but no file")
    assert len(audio.read(tmp_path / "all.wav")) / RATE == pytest.approx(3.5, abs=0.01)


@pytest.mark.parametrize("suffix", ["m4a", "mka", "webm", "aac", "mp3", "ogg"])
def test_damaged_packets_do_not_cost_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad.{suffix}"
    WRITERS[suffix](path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = np.random.default_rng(1).bytes(200)
    path.write_bytes(content)
    heard = audio.read(path)
    assert len(heard) / RATE == pytest.approx(8.0, abs=1.1)
    assert np.square(heard[-RATE:]).mean() > 1e-3


@pytest.mark.parametrize("suffix", ["m4a", "mov", "mka", "webm", "avi", "wma"])
def test_tags_that_are_not_utf8(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tag.{suffix}"
    codec, channels, rate = {
        "webm": ("libopus", 1, 48_000), "avi": ("pcm_s16le", 1, RATE), "wma": ("wmav2", 2, 44_100),
    }.get(suffix, ("aac", 1, RATE))  # fmt: skip
    by_ffmpeg(path, codec, channels, rate, tags={"title": "Aufnahme-", "artist": "Aufnahme-"})
    title = "Aufnahme-".encode("utf-16-le" if suffix == "wma" else "utf-8")
    content = path.read_bytes()
    assert title in content
    path.write_bytes(content.replace(title, title[:-2] + b"\xe9\xdc"))
    assert len(audio.read(path)) / RATE == pytest.approx(8.0, abs=0.15)


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_track_of_a_video_is_heard(tmp_path: Path, default: int) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for number, stream in enumerate(streams):
            assert isinstance(stream, av.AudioStream)
            stream.disposition = av.stream.Disposition(int(number == default))  # 1 is default
        for number, stream in enumerate(streams):
            samples = (32_000 * tone(RATE, 1.0, 300.0 + 400.0 * number)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.rate = RATE
            container.mux(stream.encode(frame))
    assert loudest_hz(audio.read(path)) == pytest.approx(300 + 400 * default, abs=2)


@pytest.mark.parametrize("suffix", ["mka", "mov"])
def test_sound_that_starts_late_is_preceded_by_silence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"late.{suffix}"
    by_ffmpeg(path, "aac", start_s=5.0)
    heard = audio.read(path)
    assert len(heard) / RATE == pytest.approx(13.0, abs=0.15)
    assert not heard[: round(4.8 * RATE)].any()
    assert np.square(heard[6 * RATE :]).mean() > 1e-3


def test_playlists_do_not_open_other_files(tmp_path: Path) -> None:
    WRITERS["aac"](tmp_path / "other.aac")
    (tmp_path / "list.ts").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n{tmp_path}/other.aac\n#EXT-X-ENDLIST\n"
    )
    (tmp_path / "list.wav").write_text(f"ffconcat version 1.0\nfile {tmp_path}/other.aac\n")
    for name in ("list.ts", "list.wav"):
        with pytest.raises(AudioError, match=f"{name}: not audio that can be decoded"):
            audio.read(tmp_path / name)


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
    "headerless.raw": "samples without a header",
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


def test_ogg_without_its_beginning_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.opus"
    soundfile.write(whole, voice(0, 6.0), 16_000, format="OGG", subtype="OPUS")
    data = whole.read_bytes()
    pages = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    (tmp_path / "late.opus").write_bytes(data[pages[2] :])
    with pytest.raises(AudioError, match=r"late\.opus: its beginning is missing; copy the file"):
        audio.read(tmp_path / "late.opus")
