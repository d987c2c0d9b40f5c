"""``emotone config`` and ``emotone models``."""

import json
import re
from pathlib import Path

import pytest

from emotone.experiments.option_list import all_options
from emotone.inference.model_list import models
from tests.helpers import emotone, one_line


def test_a_section_is_a_table_on_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    done = emotone("config", "training.augment")
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in done.stdout.splitlines()
        if line.startswith("│")
    ]
    names = [row[0].removeprefix("training.augment.") for row in rows if row[0]]
    assert names[:4] == ["speed", "tempo", "pitch", "warp"]
    (warp,) = [row for row in rows if row[0].endswith("warp")]
    assert warp[1:3] == ["float, ≥ 0, < 0.5", "0.1"]
    assert warp[3].startswith("largest relative shift of all frequencies")


@pytest.mark.parametrize("columns", ["30", "80"])
def test_nothing_is_cut_away_on_a_narrow_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = "".join(emotone("config").stdout.split())
    for option in all_options():
        assert "".join(option.key.split()) in text
        assert "".join(option.meaning.split()) in text
        assert "".join(option.type.split()) in text


def test_one_option_by_its_full_or_its_last_name() -> None:
    full = emotone("config", "training.crop").stdout
    assert full.startswith("training.crop float; > 0, ≤ 1; default 0.75\n")
    assert emotone("config", "crop").stdout == full


def test_options_as_json() -> None:
    found = json.loads(emotone("config", "--json").stdout)
    assert [one["key"] for one in found] == [one.key for one in all_options()]


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    done = emotone("config", "training.epoch")
    assert done.returncode == 2
    assert one_line(done).endswith(
        "unknown option 'training.epoch'; did you mean 'training.epochs'?"
    )


def test_a_template_is_a_configuration_that_runs_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(emotone("config", "--yaml", "iemocap").stdout, encoding="utf-8")
    done = emotone("crossval", str(path), "--out", str(tmp_path / "out"))
    assert one_line(done).startswith(
        "error: iemocap: the folder FOLDER_OF_IEMOCAP does not exist"  # all that is missing
    )
    refused = emotone("config", "training", "--yaml", "emodb")
    assert one_line(refused) == "error: --yaml cannot be combined with KEY or --json"


def test_models_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = emotone("models").stdout
    assert text.startswith("emotone-base (shipped, the default)\n")
    assert max(map(len, text.splitlines())) <= 40
    assert "…" not in text
    assert models()[0].evaluation[0].uar.split()[0] in text
    assert "CC BY-NC-SA 4.0" in re.sub(r"\s+", " ", text)


def test_models_as_json() -> None:
    base, eight, *_ = json.loads(emotone("models", "--json").stdout)
    assert (base["name"], base["source"], eight["name"]) == ("emotone-base", "shipped", "emotone-8")
    assert base["labels"] == ["anger", "happiness", "neutral", "sadness"]
