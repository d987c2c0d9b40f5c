import subprocess
import sys
from pathlib import Path

import pytest

from emotone.evaluation.results_folder import ResultsFolder

pytestmark = pytest.mark.slow


def test_the_demo_learns_the_emotions_of_its_synthetic_speech(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    short = ["training.epochs=12", "protocol.folds=2", "protocol.validation_speakers=0"]
    asked = [sys.executable, "-m", "emotone", "demo", *short, "--out", str(out)]
    done = subprocess.run(asked, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "synthetic speech" in done.stdout
    *_, report, then, command = done.stdout.splitlines()
    assert report == f"report: {out / 'report.html'}"
    assert then.startswith("next: open this page")
    assert command.split()[:2] == ["emotone", "crossval"]
    assert ResultsFolder(out).results().scores.uar.mean > 0.6  # chance is 0.25
