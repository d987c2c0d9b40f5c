"""Which files of a folder are audio, and what is said of the others."""

import os
from pathlib import Path

import pytest

from emotone.audio import SUFFIXES, search
from emotone.corpora.base import audio_paths
from emotone.errors import CorpusError


def made(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_every_suffix_of_audio_is_found_in_any_case(tmp_path: Path) -> None:
    made(tmp_path, *(f"a{suffix}" for suffix in SUFFIXES), *(f"b{s.upper()}" for s in SUFFIXES))
    assert len(search(tmp_path).files) == 2 * len(SUFFIXES)
    assert {".w64", ".3gp", ".m4b", ".ts", ".weba", ".wma", ".aifc", ".sph"} <= set(SUFFIXES)
    assert not search(tmp_path).left_out


def test_what_is_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    made(tmp_path, "b.wav", "sub/a.flac", "a.txt", "b.TXT", "sub/notes", "._b.wav")
    made(tmp_path, "__MACOSX/sub/._a.flac", "__MACOSX/b.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    found = search(tmp_path)
    assert found.files == [tmp_path / "b.wav", tmp_path / "sub" / "a.flac"]
    assert found.left_out == (
        f"{tmp_path}: 7 files left out: 3 whose suffix is not one of audio (.txt 2, none 1), "
        "3 that macOS adds (._*, __MACOSX), 1 pipes or devices"
    )


def test_a_transport_stream_is_told_from_typescript(tmp_path: Path) -> None:
    (tmp_path / "code.ts").write_text("export const answer = 42;\n" * 20)
    (tmp_path / "GPL.ts").write_text("GNU" * 100)
    (tmp_path / "film.ts").write_bytes((b"G" + bytes(187)) * 3)
    found = search(tmp_path)
    assert found.files == [tmp_path / "film.ts"]
    assert "(.ts 2)" in found.left_out


def test_linked_subfolders_are_searched_once(tmp_path: Path) -> None:
    made(tmp_path, "calls/a.wav", "elsewhere/b.wav")
    (tmp_path / "calls" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "calls" / "same").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "calls")
    (tmp_path / "calls" / "gone.wav").symlink_to("nowhere.wav")
    found = search(tmp_path / "calls")
    names = [str(path.relative_to(tmp_path / "calls")) for path in found.files]
    assert names == ["a.wav", "gone.wav", "linked/b.wav"]


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "a.wav", "closed/b.wav")
    scan = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = search(tmp_path)
    assert found.files == [tmp_path / "a.wav"]
    message = f"{tmp_path / 'closed'}: the folder cannot be read (Permission denied)"
    assert found.unreadable == [message]
    with pytest.raises(CorpusError, match=r"closed: the folder cannot be read"):
        audio_paths(tmp_path)
