from collections.abc import Callable
from pathlib import Path

import matplotlib
import pytest

from emotone import corpora
from emotone.corpora.inspection import Inspection, inspect
from emotone.corpora.table import TableOptions
from emotone.errors import UsageError
from emotone.reporting.corpus_plot import LISTED_SPEAKERS, draw_inspection


def inspected(table: Path) -> Inspection:
    return inspect(corpora.read(TableOptions(root=table)))


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_corpus_is_drawn_in_each_format(
    make_table: Callable[..., Path], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"picture.{suffix}"
    draw_inspection(inspected(make_table()), path)
    head = path.read_bytes()[:8]
    assert head.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])


@pytest.mark.parametrize(("speakers", "listed"), [(3, True), (LISTED_SPEAKERS + 1, False)])
def test_few_speakers_are_listed_and_many_are_not(
    make_table: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    speakers: int,
    listed: bool,
) -> None:
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")  # text stays text
    path = tmp_path / "picture.svg"
    draw_inspection(inspected(make_table(speakers=speakers, takes=1)), path)
    assert (">s2</text>" in path.read_text()) is listed
    assert f"{speakers} speakers" in path.read_text()


def test_other_suffixes_are_refused(make_table: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a name ending in \.png, \.svg, \.pdf"):
        draw_inspection(inspected(make_table()), tmp_path / "picture.txt")
