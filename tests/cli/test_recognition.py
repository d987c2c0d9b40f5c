import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.helpers import TINY, emotone, one_line

pytestmark = pytest.mark.slow


def test_a_model_is_trained_and_used(tmp_path: Path, make_table: Callable[..., Path]) -> None:
    table = make_table()
    path = tmp_path / "e.yaml"
    protocol = {"protocol": {"validation_speakers": 1}}
    corpus = {"corpus": {"name": "table", "root": str(table)}}
    path.write_text(yaml.safe_dump(corpus | protocol | TINY))
    model = tmp_path / "model"
    done = emotone("train", path, "--out", model)
    assert done.returncode == 0, done.stderr
    assert "3 training speakers, 1 validation speaker" in done.stderr
    assert done.stdout.strip() == f"model: {model}"

    wav = table.parent / "s0_anger_0.wav"
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    shown = emotone("predict", wav, tmp_path / "bad.wav", "--model", model)
    assert shown.returncode == 1
    assert shown.stdout.count("\n") == 1
    assert str(wav) in shown.stdout
    assert str(tmp_path / "bad.wav") in one_line(shown)
    assert "1 of 2 files could not be used" in shown.stderr

    lines = emotone("predict", table.parent, "--json", "--model", model)
    assert lines.returncode == 0, lines.stderr
    answers = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [Path(answer["file"]).name for answer in answers] == sorted(
        file.name for file in table.parent.glob("*.wav")
    )
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)

    csv = emotone("predict", table.parent / "s1_*.wav", "--csv", "--model", model)
    header, *rows = csv.stdout.splitlines()
    assert header == "file,label,confidence,confident,p_anger,p_neutral"
    assert len(rows) == 4

    cases: list[tuple[tuple[str | Path, ...], str]] = [
        ((tmp_path / "none",), "no such file"),
        ((tmp_path / "model",), "no audio files in this folder"),
        ((tmp_path / "*.xyz",), "no file matches this pattern"),
        ((wav, "--json", "--csv"), "exclude each other"),
        ((wav, "--model", tmp_path), "is not a model folder"),
    ]
    for arguments, message in cases:
        chosen = () if "--model" in arguments else ("--model", model)
        wrong = emotone("predict", *arguments, *chosen)
        assert wrong.returncode in (1, 2)
        assert message in one_line(wrong)
