"""Files that say who speaks when."""

from pathlib import Path
from typing import Any

import pytest

from emotone.errors import UsageError
from emotone.inference.recognizer import Recognizer
from emotone.inference.spans import Span
from emotone.inference.turns import checked, crossing, from_values, read
from tests.helpers import spoken

FILES = {
    "t.rttm": "SPKR-INFO call 1 <NA> <NA> <NA> unknown Ann <NA> <NA>\n"
    "SPEAKER call 1 0.5 1.5 <NA> <NA> Ann <NA> <NA>\nSPEAKER call 1 2.25 1.75 <NA> <NA> Bob <NA>\n",
    "t.csv": "end;speaker;start\n4;Bob;2,25\n2;Ann;0,5\n".replace(",", "."),
    "t.tsv": "start\tend\tspeaker\n0.5\t2\tAnn\n2.25\t4\tBob\n",
    "t.srt": "1\r\n00:00:00,500 --> 00:00:02,000\r\nAnn: Look: a turn\r\n\r\n"
    "2\r\n00:00:02,250 --> 00:00:04,000\r\n[Bob] Yes.\r\n",
    "t.vtt": "WEBVTT\n\nNOTE nothing\n\n00:00.500 --> 00:02.000 align:start\n<v Ann>Look</v>\n\n"
    "00:00:02.250 --> 00:00:04.000\n<v.loud Bob>Yes\n",
}


@pytest.mark.parametrize("name", FILES)
def test_all_formats_say_the_same(tmp_path: Path, name: str) -> None:
    text = FILES[name].replace("Ann:", "ANN:") if name == "t.srt" else FILES[name]
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    found = read(tmp_path / name, "call")
    ann = "ANN" if name == "t.srt" else "Ann"
    assert found == [Span(0.5, 2, ann), Span(2.25, 4, "Bob")]
    assert found[0].name.startswith(f"{tmp_path / name}: ")


def test_cues_without_a_name_are_of_the_speaker_before(tmp_path: Path) -> None:
    cues = ["Well.", "Ann: One", "More. Look: this", "Bob: Two", "Ann: Three", "bob: once"]
    text = "".join(
        f"{n}\n0:00:0{n},0 --> 0:00:0{n},9\n{said}\n\n" for n, said in enumerate(cues, start=1)
    )
    (tmp_path / "t.srt").write_text(text)
    speakers = [span.speaker for span in read(tmp_path / "t.srt")]
    assert speakers == ["speaker", "Ann", "Ann", "Ann", "Ann", "Ann"]  # Bob and bob: once each


def test_an_rttm_file_may_hold_several_recordings(tmp_path: Path) -> None:
    line = "SPEAKER {} {} 0 {} <NA> <NA> Ann <NA> <NA>\n"
    (tmp_path / "t.rttm").write_text(line.format("a", 1, 1) + line.format("b", 1, 2))
    assert read(tmp_path / "t.rttm", "b") == [Span(0, 2, "Ann")]
    with pytest.raises(UsageError, match="turns of 2 recordings, none of them named c; they are"):
        read(tmp_path / "t.rttm", "c")
    several = line.format("a", 1, 1) + line.format("a", 2, 1).replace("Ann", "Bob")
    (tmp_path / "t.rttm").write_text(several)
    assert [span.channel for span in read(tmp_path / "t.rttm", "other")] == [1, 2]
    (tmp_path / "t.rttm").write_text(line.format("a", 0, 1))
    assert read(tmp_path / "t.rttm") == [Span(0, 1, "Ann")]
    named = line.format("a.wav", 1, 1) + line.format("b.wav", 1, 2)
    (tmp_path / "t.rttm").write_text(named)
    assert read(tmp_path / "t.rttm", "b") == [Span(0, 2, "Ann")]


def test_a_table_may_hold_several_recordings(tmp_path: Path) -> None:
    rows = "file,start,end,speaker\na.wav,0,1,Ann\ncalls/b.wav,0,2,Bob\na.wav,2,3,Ann\n"
    (tmp_path / "t.csv").write_text(rows)
    assert read(tmp_path / "t.csv", "a") == [Span(0, 1, "Ann"), Span(2, 3, "Ann")]
    assert read(tmp_path / "t.csv", "b") == [Span(0, 2, "Bob")]
    with pytest.raises(UsageError, match="turns of 2 recordings, none of them named c; they are"):
        read(tmp_path / "t.csv", "c")
    (tmp_path / "t.csv").write_text("file,start,end,speaker\na.1,0,1,Ann\na,0,2,Bob\n")
    assert read(tmp_path / "t.csv", "a") == [Span(0, 2, "Bob")]  # not that of a.1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.txt", "", "expected turns as .rttm, .csv, .tsv, .srt, .vtt, got '.txt'"),
        ("t.rttm", "SPEAKER call 1 0.5\n", "line 1: expected SPEAKER FILE CHANNEL .* got 4 fields"),
        ("t.rttm", "SPEAKER c 1 x 1 <NA> <NA> Ann\n", "line 1 has 'x' as start; expected seconds"),
        ("t.rttm", "hello\n", "no turns in it"),
        ("t.vtt", "WEBVTT\n", "no turns in it"),
        *(
            (
                "t.srt",
                f"1\n00:00:00,100 --> 00:00:01,000\nAnn: one\n\n2\n{times}\nAnn: two\n",
                f"line 6: expected times such as 00:01:02,500 --> 00:01:04,000, got '{times}'",
            )
            for times in (
                "00:00:02,500 -> 00:00:04,000",
                "00:xx.100 --> 00:02.000",
                "00:00:02 - 00:00:04",
            )
        ),
        ("t.csv", "start,end\n0,1\n", "no column 'speaker'"),
        ("t.csv", "start,end,speaker\n0,1,\n", "row 2, 0 s to 1 s has no speaker"),
        ("t.csv", "start,end,speaker\n0,,Ann\n", "has no end"),
        ("t.csv", "start,end,speaker\n,1,Ann\n", "row 2 has no start"),
        ("t.csv", "start,end,speaker\n2,1,Ann\n", "2 s to 1 s is not a stretch of time"),
        (
            "t.csv",
            "start,end,speaker,channel\n0,1,Ann,0\n1,2,Bob,1\n",
            "row 2, 0 s to 1 s is on channel 0; expected a channel from 1",
        ),
        (
            "t.rttm",
            "SPEAKER c 0 0 1 <NA> <NA> Ann\nSPEAKER c 1 1 1 <NA> <NA> Bob\n",
            "line 1, 0 s to 1 s is on channel 0; expected a channel from 1",
        ),
        *(
            (
                "t.csv",
                f"start,end,speaker,channel\n0,1,Ann,{channel}\n",
                f"row 2 has '{channel}' as channel; expected a whole number from 1",
            )
            for channel in ("left", "nan", "inf", "1.5", "-1")
        ),
        (
            "t.csv",
            "start,end,speaker\n0,2,Ann\n1,3,Bob\n1.5,3,Ann\n",
            "row 4, 1.5 s to 3 s overlaps with .*row 2, 0 s to 2 s, both of 'Ann'",
        ),
    ],
)
def test_turns_that_cannot_be_used_are_explained(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name)


def test_a_channel_may_be_written_as_a_number_with_a_fraction(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("start,end,speaker,channel\n0,1,Ann,2.0\n1,2,Bob,\n")
    assert read(tmp_path / "t.csv") == [Span(0, 1, "Ann", 2), Span(1, 2, "Bob")]


def test_cues_may_have_whole_seconds(tmp_path: Path) -> None:
    cues = "1\n00:00:00 --> 00:00:02\nAnn: one\n\n2\n00:02,5 --> 00:04\nAnn: two\n"
    (tmp_path / "t.srt").write_text(cues)
    assert read(tmp_path / "t.srt") == [Span(0, 2, "Ann"), Span(2.5, 4, "Ann")]


def test_a_cue_ends_at_an_empty_line_or_where_the_next_begins(tmp_path: Path) -> None:
    cues = (
        "1\n0:00 --> 0:01\n[Ann] we open\n10:30 - 11:00\n2\n0:02 --> 0:03\n[Bob] one\n\nmore\n\n"
        "3\n0:04 --> 0:05\n"
    )
    (tmp_path / "t.srt").write_text(cues)
    found = read(tmp_path / "t.srt")
    assert found == [Span(0, 1, "Ann"), Span(2, 3, "Bob"), Span(4, 5, "Bob")]
    assert [span.name.rpartition(": ")[2] for span in found] == ["line 2", "line 6", "line 12"]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.srt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        read(tmp_path / "t.srt")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(tmp_path / "none.srt")


def test_turns_may_be_json_values() -> None:
    values = [
        {"start": 2, "end": 3.5, "speaker": "Bob", "channel": 2, "text": "ignored"},
        {"start": 0, "end": 2.5, "speaker": "Ann"},
    ]
    assert from_values(values) == [Span(0, 2.5, "Ann"), Span(2, 3.5, "Bob", 2)]
    for wrong, message in (
        ([1], "turn 1: expected an object with start, end and speaker"),
        ([{"start": 0, "end": 1}], "turn 1: expected an object"),
        ([{"start": "0", "end": 1, "speaker": "a"}], "turn 1: expected start and end in seconds"),
        ([{"start": 0, "end": 1, "speaker": 5}], "turn 1: expected speaker as text, got 5"),
        ([{"start": 0, "end": float("inf"), "speaker": "a"}], "expected start and end"),
        ([{"start": 0, "end": 1, "speaker": "a", "channel": 0}], "turn 1, 0 s .* is on channel 0"),
        ([], "no turns"),
    ):
        with pytest.raises(UsageError, match=message):
            from_values(wrong)


@pytest.mark.parametrize("turns", [[{"start": 0, "end": 1, "speaker": "a"}], [(0, 1, "a")], 5])
def test_turns_are_spans_or_a_file(recognizer: Recognizer, turns: Any) -> None:
    with pytest.raises(UsageError, match=r"turns: expected .*emotone\.Span.*, got"):
        recognizer.call((spoken(0, 1.0), 16_000), turns=turns)


def test_turns_that_cross_are_counted() -> None:
    spans = [Span(0, 5, "a"), Span(1, 2, "b"), Span(4, 6, "b"), Span(6, 7, "a"), Span(8, 9, "b")]
    assert crossing(checked(spans, "turns")) == 3
