"""What is opened, and how what is not audio is named."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from emotone import audio
from emotone.audio.opening import Part
from emotone.errors import AudioError
from tests.helpers import wav

ELSEWHERE = {
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7\nsize 9\n",
        "git lfs pull",
    ),
    "annex": (b"/annex/objects/SHA256E-s1--ab.wav\n", "git annex get"),
    "page": (b"\n<!DOCTYPE html><html><title>404</title>", "a web page, not audio"),
    "zip": (b"PK\3\4" + bytes(99), "a ZIP archive, not audio; unpack it"),
    "gzip": (b"\x1f\x8b" + bytes(99), "a gzip archive"),
    "pdf": (b"%PDF-1.4\n", "a PDF document"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "no audio stream in it"),
    "byte": (b"R", "not audio that can be decoded"),
    "no-sound": (b"RIFF\x24\0\0\0WAVEfmt ", "truncated: its sound is missing"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_in_the_place_of_audio_is_named(tmp_path: Path, name: str) -> None:
    content, message = ELSEWHERE[name]
    (tmp_path / f"{name}.wav").write_bytes(content)
    with pytest.raises(AudioError, match=rf"{name}\.wav: .*{message}") as caught:
        audio.read(tmp_path / f"{name}.wav")
    assert "Errno" not in str(caught.value)
    assert "<none>" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("https://example.org/a.wav", "an address, not a file; download it first"),
        ("s3://bucket/a.wav", "an address, not a file"),
        ("x" * 300 + ".wav", "cannot be read .*[Nn]ame too long"),
        ("a\0b.wav", "(no such file|cannot be read)"),
        ("/dev/null", "a device or socket, not a file"),
        (".", "a folder, not a file"),
    ],
)
def test_what_is_no_file(path: str, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        audio.read(path)


def test_a_link_to_nowhere_says_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("../annex/a.wav")
    with pytest.raises(AudioError, match=r"a\.wav: a link to \.\./annex/a\.wav, which does not"):
        audio.read(tmp_path / "a.wav")


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.wav").write_bytes(wav())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match=r"secret\.wav: cannot be read \(Permission denied\)"):
        audio.read(tmp_path / "secret.wav")


@pytest.mark.parametrize("suffix", [".raw", ".pcm", ".SW"])
def test_headerless_samples_are_not_guessed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"samples{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(9999))
    with pytest.raises(AudioError, match=r"samples without a header .*ffmpeg -f s16le"):
        audio.read(path)
    path.write_bytes(wav())  # a wrong name does not matter
    assert len(audio.read(path)) == 16_000


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "m4a", "mka"])
def test_a_name_that_is_not_utf8(tmp_path: Path, suffix: str) -> None:
    from tests.audio.test_containers import WRITERS

    WRITERS[suffix](tmp_path / f"plain.{suffix}")
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9." + suffix.encode()))
    (tmp_path / f"plain.{suffix}").rename(path)
    assert len(audio.read(path)) / 16_000 == pytest.approx(8.0, abs=0.15)


@pytest.mark.parametrize("suffix", ["wav", "ogg", "m4a"])
def test_a_pipe_is_read_to_its_end(tmp_path: Path, suffix: str) -> None:
    from tests.audio.test_containers import WRITERS

    WRITERS[suffix](tmp_path / f"a.{suffix}")
    content = (tmp_path / f"a.{suffix}").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    heard = audio.read(tmp_path / "pipe")
    writer.join()
    np.testing.assert_array_equal(heard, audio.read(tmp_path / f"a.{suffix}"))


def test_a_part_of_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "digits").write_bytes(b"0123456789")
    with (tmp_path / "digits").open("rb") as file:
        part = Part(file, 2, 7)
        assert part.read() == b"23456"
        assert part.seek(-2, os.SEEK_END) == 3
        file.seek(0)  # the place in the part is its own
        assert part.read(9) == b"56"
        assert part.read() == b""
        part.seek(1)
        assert part.seek(1, os.SEEK_CUR) == part.tell() == 2
        assert part.read(1) == b"4"
