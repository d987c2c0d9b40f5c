"""Tables as input, and the stretches of recordings that they list."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emotone.audio import SAMPLE_RATE
from emotone.errors import AudioError, UsageError
from emotone.inference import listing
from emotone.inference.recognizer import Recognizer
from emotone.inference.sources import files_in
from emotone.inference.spans import Span
from tests.helpers import emotone, one_line, voice

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound() -> NDArray[np.float32]:
    return np.concatenate([voice(number, 1.0) for number in range(26)])


@pytest.fixture
def calls(tmp_path: Path, sound: NDArray[np.float32]) -> Path:
    soundfile.write(tmp_path / "a.wav", sound, SAMPLE_RATE)
    soundfile.write(tmp_path / "b.wav", sound[:32_000], SAMPLE_RATE)
    return tmp_path


def test_a_stretch_is_answered_as_a_recording_of_its_own(
    recognizer: Recognizer, sound: NDArray[np.float32]
) -> None:
    silent = sound.copy()
    silent[18 * SAMPLE_RATE : 20 * SAMPLE_RATE] = 0
    spans = [Span(20.5, 22), Span(0, 3.3), Span(1, 26), Span(18.2, 19.8), Span(2, 3), Span(25)]
    found = recognizer.spans((silent, SAMPLE_RATE), spans)
    assert [(one.start, one.end) for one in found] == [(s.start, s.end or 26.0) for s in spans]
    for span, segment in zip(spans, found, strict=True):
        first, last = span.samples
        part = silent[first : int(min(last, len(silent)))]
        if not part.any():
            assert segment.prediction is None
            continue
        assert segment.prediction is not None
        expected = recognizer.predict((part, SAMPLE_RATE)).probabilities
        assert segment.prediction.probabilities == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("span", [Span(26.1), Span(25, 27), Span(30, 31, name="row 3")])
def test_a_stretch_outside_the_recording_is_named(
    recognizer: Recognizer, sound: NDArray[np.float32], span: Span
) -> None:
    with pytest.raises(AudioError, match=r"s is outside|the end is outside") as raised:
        recognizer.spans((sound, SAMPLE_RATE), [Span(0, 1), span])
    assert span.name in str(raised.value)
    assert "the array: " in str(raised.value)
    with pytest.raises(UsageError, match=r"spans: expected emotone\.Span.*, got \(0, 1\)"):
        recognizer.spans((sound, SAMPLE_RATE), [(0, 1)])  # type: ignore[list-item]
    (late,) = recognizer.spans((sound, SAMPLE_RATE), [Span(25, 26.4)])  # annotations are not exact
    assert late.end == 26.0


def test_a_table_gives_an_answer_per_row(folder: Path, calls: Path) -> None:
    (calls / "t.csv").write_text("note;file;start;end\nx;a.wav;0;2.5\ny;b.wav;;\nz;a.wav;1;\n")
    shown = emotone("predict", calls / "t.csv", "--csv", "--model", folder)
    assert shown.returncode == 0, shown.stderr
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert [(Path(row["file"]).name, row["start"], row["end"]) for row in rows] == [
        ("a.wav", "0.0", "2.5"), ("a.wav", "1.0", "26.0"), ("b.wav", "0.0", "2.0")
    ]  # fmt: skip
    out = calls / "out.jsonl"
    asked: list[str | Path] = ["predict", calls / "t.csv", "--model", folder, "--output", out]
    assert emotone(*asked, "--jobs", "2").returncode == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [str(one["confidence"]) for one in found] == [row["confidence"] for row in rows]
    (calls / "t.csv").write_text("file,start\na.wav,3\n")
    assert "table: " in one_line(emotone(*asked))


def test_a_file_beside_a_table_that_lists_parts_of_it_is_answered_whole_too(calls: Path) -> None:
    (calls / "t.csv").write_text("file,start,end\na.wav,1,3\n")
    part, listed = Span(1, 3), calls / "a.wav"
    for given in ([calls / "t.csv", listed], [listed, calls / "t.csv"]):
        found = files_in(given)
        assert found.files == [listed]
        assert found.spans == {listed: [part, Span()]}
    found = files_in([calls / "t.csv", calls])
    assert found.spans == {listed: [part, Span()]}
    (calls / "t.csv").write_text("file\na.wav\n")
    assert files_in([calls / "t.csv", listed]).spans == {}


def test_a_table_of_files_is_a_list(folder: Path, calls: Path) -> None:
    (calls / "t.tsv").write_text("file\tspeaker\nb.wav\t1\na.wav\t2\n")
    lines = emotone("predict", calls / "t.tsv", "--json", "--model", folder).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [Path(one["file"]).name for one in found] == ["b.wav", "a.wav"]
    assert "start" not in found[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flie,start\na.wav,1\n", "no column 'file'; did you mean 'flie'"),
        ("file,start\n", "no rows"),
        ("file,start\n,1\n", "row 2 has no file"),
        ("file,start\na.wav,soon\n", "row 2 has 'soon' as start; expected seconds"),
        ("file,start,end\na.wav,2,1\n", "row 2, 2 s to 1 s is not a stretch of time"),
        ("file,start,end\na.wav,-1,1\n", "-1 s to 1 s is not a stretch of time"),
        ("file,start\na.wav,nan\n", "nan s to the end is not a stretch"),
        ("", "found none"),
        ("file,start\na,b.wav,1\n", "row 2 has 3 fields, the header has 2; put fields that"),
        ("file,start\n\n,\na.wav,soon\n", "row 4 has 'soon' as start"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        listing.read(tmp_path / "t.csv")


def test_a_row_outside_its_file_fails_that_file(folder: Path, calls: Path) -> None:
    (calls / "t.csv").write_text("file,start,end\na.wav,0,2\nb.wav,1,9\n")
    done = emotone("predict", calls / "t.csv", "--csv", "--model", folder)
    assert done.returncode == 1
    assert "row 3, 1 s to 9 s is outside the recording of 2.0 s" in one_line(done)
    assert done.stdout.count("\n") == 2
    refused = emotone("predict", calls / "t.csv", "--segments", "--model", folder)
    assert "leave out --segments" in one_line(refused)
    (calls / "u.csv").write_bytes(b"file\n\xff\xfe\x00")
    assert "cannot be read as a CSV table" in one_line(emotone("predict", calls / "u.csv"))
