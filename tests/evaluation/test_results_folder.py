from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotone.errors import UsageError
from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import (
    AblationResults,
    AblationRow,
    Epoch,
    PairedDifference,
    Rate,
    Rates,
    Results,
    RunRecord,
    Scores,
    Setting,
    SpeakerRates,
    System,
)
from emotone.evaluation.results_folder import ResultsFolder

SETTING = Setting(
    corpus="made", labels=("anger", "calm"), utterances=4, speakers=2,
    protocol=ProtocolOptions(name="kfold", folds=2), folds=2, seeds=(0, 3), synthetic=False,
    versions={"emotone": "1"},
)  # fmt: skip
SYSTEM = System("crnn", "CRNN", False, None, 123, None)
RATE = Rate(0.5, (0.25, 0.75), (0.4, 0.6), 0.5, 0.1)
SCORES = Scores(RATE, RATE, None, {"anger": 1.0, "calm": None}, ((1, 0), (2, 1)),
                {"s": SpeakerRates(4, 0.5, 0.5)})  # fmt: skip
RUN = RunRecord("1", 3, 1.5, 123, None, 0.5, (Epoch(1.0, 1.1, 0.5, 0.1, 2.0), Epoch(0.9)), 1,
                {"precision": "32-true"})  # fmt: skip
RESULTS = Results(SETTING, SYSTEM, SCORES, 0.5, {}, (), (RUN,))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.write_results(RESULTS)
    assert folder.results() == RESULTS
    difference = PairedDifference(0.1, (-0.1, 0.3), 0.5, (0,), 1.0)
    row = AblationRow("a", "variants/a", SYSTEM, True, (0,), 4, 2, Rates(RATE, RATE), 30, 1.5,
                      {"b": difference})  # fmt: skip
    ablation = AblationResults(SETTING, ("b",), (row,))
    folder.write_results(ablation)
    assert folder.ablation_results() == ablation
    assert ablation.missing == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no finished experiment"),
        ('{"corpus": "made", "UAR": {}}', r"by emotone 0\.1; run .* trains those that"),
        ('{"format": 99}', r"format 99, this one reads 2\); install the version"),
        ("null", "is damaged"),
        ('{"format": 2, "setting": 1}', "is damaged"),
        ("{", "is damaged"),
    ],
)
def test_results_that_cannot_be_read_say_what_to_do(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        ResultsFolder(tmp_path).results()


def test_names_in_predictions_stay_what_they_are(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "utterance": ["001", "NA"], "file": ["a,b.wav", "c.wav"], "start": [0.0, 1.5],
            "end": [np.nan, 2.0], "fold": ["1", "01"], "seed": [0, 0], "speaker": ["NA", "007"],
            "truth": ["anger", "calm"], "prediction": ["calm", "calm"], "p_calm": [0.5, 1.0],
        }
    )  # fmt: skip
    folder = ResultsFolder(tmp_path)
    folder.write_predictions(table)
    pd.testing.assert_frame_equal(folder.predictions(), table)
    assert folder.enrolment() is None


def test_complete_folders_have_no_runs(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.run("1", 3).finish(RUN)
    folder.write_results(RESULTS)
    assert not folder.is_complete
    folder.remove_runs()
    assert folder.is_complete
    assert {path.name for path in tmp_path.iterdir()} == {"results.json"}


def test_a_folder_in_use_and_one_of_others_are_refused(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "out")
    with (
        folder.locked(),
        pytest.raises(UsageError, match="another emotone is writing to"),
        ResultsFolder(tmp_path / "out").locked(),
    ):
        pass
    assert not (tmp_path / "out").exists()  # nothing was started
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"holds other files \(thesis\.txt, …\)"):
        ResultsFolder(tmp_path).refuse_other_files()
    ResultsFolder(tmp_path).refuse_other_files("thesis.txt")


def test_what_an_experiment_starts_with_is_read_back(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    assert folder.folds() is None
    assert not folder.is_experiment
    folder.write_experiment("corpus: ä\n", "[1]")
    assert folder.is_experiment
    assert (folder.configuration(), folder.folds()) == ("corpus: ä\n", "[1]")
    assert not folder.is_ablation
    folder.write_ablation("baseline: {}\n")
    assert folder.is_ablation
    assert folder.ablation() == "baseline: {}\n"
    table = pd.DataFrame({"speaker": ["s"], "seed": [3], "enrolled": [10]})
    folder.write_predictions(table, table)
    enrolment = folder.enrolment()
    assert enrolment is not None
    pd.testing.assert_frame_equal(enrolment, table)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "runs" / ".run.json.7.emotone-tmp").mkdir(parents=True)
    (tmp_path / ".results.json.7.emotone-tmp").write_text("half")
    (tmp_path / "results.json").write_text("whole")
    ResultsFolder(tmp_path).remove_leftovers()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["results.json", "runs"]
