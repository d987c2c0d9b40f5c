import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from emotone.errors import StorageError, UsageError
from emotone.files import check_picture, locked, refuse_foreign, replacing, save_picture, write_text


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
        check_picture(tmp_path / name)
    with pytest.raises(UsageError, match=r"expected a name ending in \.png, \.svg, \.pdf, got"):
        check_picture(tmp_path / "a.jpg")


def test_a_picture_is_written_in_the_format_of_its_suffix(tmp_path: Path) -> None:
    save_picture(Figure(), tmp_path / "a.PNG")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        save_picture(Figure(), tmp_path / "file" / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_only_what_emotone_made_is_overwritten(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    check_picture(path)
    save_picture(Figure(), path)
    check_picture(path)  # ours
    Figure().savefig(path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"exists and was not made by emotone; nothing was chan"):
        check_picture(path)
    assert path.read_bytes() == before
    check_picture(path, force=True)
    with pytest.raises(UsageError, match="is a folder; give the name of a file"):
        refuse_foreign(tmp_path, force=True)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = (
        "import sys, time; from pathlib import Path; from emotone.files import locked\n"
        "with locked(Path(sys.argv[1]), 'a', '--out'): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with (
            pytest.raises(UsageError, match=r"another emotone is writing to a; .* another --out"),
            locked(path, "a", "--out"),
        ):
            pass
        other.send_signal(signal.SIGKILL)
    with locked(path, "a", "--out"):
        assert path.exists()
