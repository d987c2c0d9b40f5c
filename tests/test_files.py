import errno
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from emotone.errors import StorageError, UsageError
from emotone.files import check_picture_name, replacing, save_picture, write_text


def test_a_file_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "first")
    with pytest.raises(KeyError), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "first"
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with (
        pytest.raises(StorageError, match=r"cannot write .*a\.txt: No space left .* free some"),
        replacing(path) as temporary,
    ):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_png_svg_or_pdf(tmp_path: Path) -> None:
    for name in ("a.png", "a.SVG", "a.pdf"):
        check_picture_name(tmp_path / name)
    with pytest.raises(UsageError, match=r"expected a name ending in \.png, \.svg, \.pdf, got"):
        check_picture_name(tmp_path / "a.jpg")


def test_a_picture_is_written_in_the_format_of_its_suffix(tmp_path: Path) -> None:
    save_picture(Figure(), tmp_path / "a.PNG")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        save_picture(Figure(), tmp_path / "file" / "a.png")
