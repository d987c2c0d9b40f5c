from pathlib import Path

import pytest

from emotone.evaluation.audit_results import AUDIT
from tests.helpers import emotone, one_line

pytestmark = pytest.mark.slow


def arguments(root: Path) -> list[str | Path]:
    return ["audit", "emotone-base", "synthetic", root, "speakers=2", "utterances=4"]


def test_an_audit_writes_its_reports_and_fails_if_a_requirement_is_missed(tmp_path: Path) -> None:
    out, require = tmp_path / "out", tmp_path / "require.yaml"
    require.write_text("robustness.small.gain.unchanged: {min: 1}\nclean.uar: {min: 0}\n")
    asked = [*arguments(tmp_path / "c"), "--out", out, "--limit", "6", "--require", require]
    done = emotone(*asked)
    assert done.returncode == 0, done.stderr
    assert "emotone-base on synthetic, 6 utterances, 2 speakers: UAR" in done.stdout
    assert "note: 6 of 8 utterances are used, drawn at random" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == f"report: {out / 'audit.html'}"
    assert {path.name for path in out.iterdir()} == {
        ".lock", "answers.jsonl", "audit.json", "audit.md", "audit.html"
    }  # fmt: skip
    require.write_text("clean.uar: {min: 1.5}\nnon_speech.silence.confident: {max: 0}\n")
    done = emotone(*asked)
    assert done.returncode == 1
    found = AUDIT.validate_json((out / "audit.json").read_bytes())
    missed = f"required: clean.uar is {found.clean.uar:.4g}, required is at least 1.5"
    assert done.stderr.splitlines() == [missed]
    assert "missed" in (out / "audit.md").read_text()


@pytest.mark.parametrize(
    ("extra", "code", "message"),
    [
        (["--limit", "0"], 2, ""),
        (["--require", "gone.yaml"], 2, "cannot read gone.yaml"),
        (["--noise", "gone"], 2, "--noise: the folder gone does not exist"),
        (["speakers=[1]"], 2, "corpus.speakers: input should be a valid integer"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, extra: list[str], code: int, message: str) -> None:
    done = emotone(*arguments(tmp_path / "c"), "--out", tmp_path / "out", *extra)
    assert done.returncode == code
    if message:
        assert message in one_line(done)
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_or_corpus_is_one_line(tmp_path: Path) -> None:
    done = emotone("audit", "gone", "synthetic", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "gone: no such folder, nor a model that ships" in one_line(done)
    done = emotone("audit", "emotone-base", "emobd", "x", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "did you mean 'emodb'?" in one_line(done)
