import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from emotone import corpora
from emotone.corpora import inspection
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.inspection import Inspection
from emotone.corpora.table import TableOptions
from tests.helpers import real_corpus, voice


def inspected(table: Path) -> Inspection:
    return inspection.inspect(corpora.read(TableOptions(root=table)))


def change(table: Path, **columns: Any) -> None:
    pd.read_csv(table).assign(**columns).to_csv(table, index=False)


def test_a_corpus_without_problems_is_counted_and_measured(make_table: Callable[..., Path]) -> None:
    table = make_table()
    change(table, sex=["female"] * 8 + ["male"] * 8, session=["a"] * 16)
    found = inspected(table)
    facts = found.as_dict()
    assert facts["utterances"] == 16
    assert facts["emotions"] == {"anger": 8, "neutral": 8}
    assert facts["sexes"] == {"female": 2, "male": 2}
    assert facts["sessions"] == {"a": 16}
    assert facts["rates_hz"] == {"16000": 16}
    assert facts["emotions_of_speakers"]["s2"] == {"anger": 2, "neutral": 2}
    assert facts["seconds"] == {"least": 0.3, "median": 0.35, "greatest": 0.4, "sum": 5.6}
    samples, _ = soundfile.read(table.parent / "s0_anger_0.wav")
    level = found.utterances.set_index("utterance")["level_dbfs"]["s0_anger_0"]
    assert level == pytest.approx(10 * np.log10((samples**2).mean()), abs=1e-3)
    assert found.problems == ()
    json.dumps(facts)


def test_dimensions_are_measured(make_table: Callable[..., Path]) -> None:
    table = make_table()
    change(table, arousal=[1, None, *range(2, 8), *[4] * 8], other=range(16))
    options = TableOptions(root=table, dimensions=("arousal",), scale=(1, 7))
    (name, facts), *more = inspection.inspect(corpora.read(options)).as_dict()["dimensions"].items()
    assert (name, more, facts["utterances"]) == ("arousal", [], 15)
    assert (facts["least"], facts["median"], facts["greatest"]) == (0, 0.5, 1)
    assert inspected(table).as_dict()["dimensions"] == {}


def replace_audio(table: Path, samples: Any, name: str = "s0_anger_0.wav") -> None:
    soundfile.write(table.parent / name, samples, 16_000)


def test_unreadable_silent_and_clipped_files_are_reported(make_table: Callable[..., Path]) -> None:
    table = make_table()
    change(table, sex="female")
    root = table.parent
    (root / "s0_anger_0.wav").write_bytes(b"")
    (root / "s0_anger_1.wav").write_text("no audio " * 50)
    replace_audio(table, np.zeros(8000), "s0_neutral_0.wav")
    replace_audio(table, np.clip(voice(7) * 50, -1, 1), "s0_neutral_1.wav")
    found = inspected(table)
    assert found.problems[0].startswith("2 files cannot be read: ")
    assert "s0_anger_0.wav: the file is empty" in found.problems[0]
    assert "s0_anger_1.wav: not audio" in found.problems[0]
    assert found.problems[1:] == (
        "1 file is silent: corpus/s0_neutral_0.wav",
        "1 file is clipped: corpus/s0_neutral_1.wav",
    )
    assert found.as_dict()["utterances"] == 16


def test_duplicates_are_found_across_speakers_and_formats(make_table: Callable[..., Path]) -> None:
    table = make_table()
    change(table, sex="female")
    samples, _ = soundfile.read(table.parent / "s0_anger_0.wav", dtype="int16")
    replace_audio(table, samples, "s3_neutral_0.wav")
    replace_audio(table, voice(50), "s1_anger_0.wav")
    replace_audio(table, voice(50), "s1_neutral_0.wav")
    assert inspected(table).problems == (
        "files of different speakers (s0, s3) have the same content: "
        "s0_anger_0.wav, s3_neutral_0.wav",
        "files of speaker s1 have the same content: s1_anger_0.wav, s1_neutral_0.wav",
    )


def test_gaps_in_the_table_are_reported(make_table: Callable[..., Path]) -> None:
    table = make_table()
    frame = pd.read_csv(table)
    frame.loc[frame["speaker"] == "s3", "emotion"] = "anger"
    frame["session"] = ["1"] * 4 + [None] * 12
    frame["end"] = [99.0] + [None] * 15
    frame.to_csv(table, index=False)
    assert inspected(table).problems == (
        "1 speaker has only one emotion: s3",
        "the sex of 4 of 4 speakers is unknown",
        "12 of 16 utterances have no session",
        "1 utterance ends after the file; are times in seconds?",
    )


def test_utterances_cut_to_one_length_are_reported(make_table: Callable[..., Path]) -> None:
    table = make_table(takes=4)
    change(table, sex="female")
    for number, file in enumerate(pd.read_csv(table)["file"]):
        if number % 4:
            replace_audio(table, voice(number, 0.5), file)
    assert inspected(table).problems == (
        "24 of 32 utterances last exactly 0.5 s; were they cut or padded? Speech may be missing",
    )


def test_real_emodb_is_read_whole() -> None:
    found = inspection.inspect(corpora.read(EmodbOptions(root=real_corpus("emodb"))))
    assert len(found.utterances) == 535
    assert found.utterances["level_dbfs"].notna().all()
    assert not [problem for problem in found.problems if "cannot be read" in problem]
