from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from emotone.errors import FoldError, UsageError
from emotone.evaluation import metrics
from emotone.evaluation.results import AblationRow, Rate, RunRecord
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import ablation, variants
from emotone.experiments.crossval import crossval
from emotone.experiments.learners import read_data
from emotone.experiments.plan import Run
from emotone.reporting import report
from tests.helpers import ABLATION, Links, Recorder, emotone, one_line, snapshot, voice

pytestmark = pytest.mark.slow


def uar_of(row: AblationRow) -> Rate:
    assert row.rates is not None
    return row.rates.uar


def test_the_table_says_what_the_predictions_say(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out, recorder = tmp_path / "out", Recorder()
    results = ablation.ablate(variants.load(write()), out, recorder)
    # the first seed of all variants, then the second; at most one of it can overtake the last
    assert recorder.left == 10
    assert {name[-1] for name in recorder.runs[:5]} == {"0"}
    assert results.missing == 0
    rows = {row.variant: row for row in results.rows}
    assert [row.seeds for row in rows.values()] == [(0, 1), (0, 1), (0,)]
    uars = {}
    for name, row in rows.items():
        table = pd.read_parquet(out / row.folder / "predictions.parquet")
        uars[name] = [
            metrics.uar(of_seed["truth"].tolist(), of_seed["prediction"].tolist())
            for _, of_seed in table.groupby("seed")
        ]
        assert uar_of(row).of_seeds == pytest.approx(uars[name])
        assert uar_of(row).mean == pytest.approx(np.mean(uars[name]))
    assert uar_of(rows["baseline"]).std == pytest.approx(np.std(uars["baseline"], ddof=1))
    assert uar_of(rows["both"]).std is None
    difference = rows["baseline + summary"].differences["baseline"]
    assert difference.difference == pytest.approx(
        np.mean(uars["baseline + summary"]) - np.mean(uars["baseline"])
    )
    # only the seed that both have
    one_seed = rows["both"].differences["baseline"]
    assert one_seed.seeds == (0,)
    assert one_seed.difference == pytest.approx(uars["both"][0] - uars["baseline"][0])
    assert one_seed.p_holm >= one_seed.p
    # a shorter summary
    assert (rows["both"].system.parameters or 0) < (rows["baseline"].system.parameters or 0)
    assert [row.epochs for row in rows.values()] == [3, 3, 2]

    # each variant is a results folder that crossval continues
    variant = variants.load(write()).variants["both"]
    again = Recorder()
    crossval(variant, out / rows["both"].folder, again)
    assert again.left == 0


def test_the_one_run_of_an_svm_is_paired_with_all_seeds(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("opensmile")
    svm = {"kind": "opensmile-svm", "functionals": "egemaps", "c": [0.01]}
    path = write(variants={"baseline": [], "svm": [{"model": svm, "seeds": [0]}]})
    results = ablation.ablate(variants.load(path), tmp_path / "out", Recorder())
    baseline, row = results.rows
    assert row.seeds == (0,)
    assert row.epochs is None
    difference = row.differences["baseline"]
    assert difference.seeds == (0, 1)
    assert difference.difference == pytest.approx(uar_of(row).mean - uar_of(baseline).mean)


def test_a_budget_leaves_a_valid_part_that_is_continued(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out, asked = tmp_path / "out", variants.load(write())
    nothing = ablation.ablate(asked, out, Recorder(), hours=0)
    assert nothing.missing == 10
    assert [row.rates for row in nothing.rows] == [None] * 3
    for path in report.write(out):
        assert path.is_file()
    assert "10 runs are missing" in (out / "report.md").read_text()
    assert report.covered(out) == [out]

    class StopAfterThree(Recorder):
        def finished(self, run: Run, record: RunRecord) -> None:
            super().finished(run, record)
            if len(self.runs) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablation.ablate(asked, out, StopAfterThree())
    part = ResultsFolder(out).ablation_results()
    assert part.missing <= 7  # a run that is under way may end while all are stopped
    assert part.rows[0].seeds == (0,)
    rest = Recorder()
    results = ablation.ablate(asked, out, rest)
    assert (len(rest.runs), results.missing) == (part.missing, 0)
    whole = ablation.ablate(asked, tmp_path / "at once", Recorder())
    for one, other in zip(results.rows, whole.rows, strict=True):
        assert one.rates == other.rates
        assert one.differences == other.differences


def test_chosen_variants_run_alone_and_no_other_audio_is_read(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked, recorder = tmp_path / "out", variants.load(write()), Recorder()
    real, read = read_data, []

    def counted(config: Any, *rest: Any) -> Any:
        read.append(config.features.deltas)
        return real(config, *rest)

    monkeypatch.setattr("emotone.experiments.crossval.read_data", counted)
    results = ablation.ablate(asked, out, recorder, only=["baseline + summary"])
    assert {name.partition(",")[0] for name in recorder.runs} == {"baseline + summary"}
    assert len(recorder.runs) == 4
    assert len(read) == 1
    assert results.missing == 6
    assert [row.rates is None for row in results.rows] == [True, False, True]
    report.write(out)
    counts = pd.read_csv(out / "table.csv", dtype=str)["parameters"]
    assert counts.dropna().tolist() == [str(results.rows[1].system.parameters)]
    rest = Recorder()
    assert ablation.ablate(asked, out, rest).missing == 0
    assert len(rest.runs) == 6
    assert len(read) == 3  # nor that of the finished variant again


def test_variants_that_heard_other_audio_are_not_compared(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    asked, out = variants.load(write()), tmp_path / "out"
    ablation.ablate(asked, out, Recorder(), only=["baseline"])
    audio = sorted((tmp_path / "corpus").glob("*.wav"))[0]
    soundfile.write(audio, voice(77), 16_000)
    with pytest.raises(UsageError, match=r"baseline was started with: the audio differs"):
        ablation.ablate(asked, out, Recorder(), only=["both"])


def test_an_unknown_variant_is_named_before_anything_is_written(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    result = emotone("ablate", write(), "--out", tmp_path / "out", "--only", "bothe")
    assert result.returncode == 2
    assert "unknown variant 'bothe'; did you mean 'both'?" in one_line(result)
    assert not (tmp_path / "out").exists()


def test_variants_and_seeds_can_be_added_but_not_left_out(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    some = dict(list(ABLATION["variants"].items())[:2])
    first = ablation.ablate(variants.load(write(variants=some), ["seeds=[0]"]), out, Recorder())
    recorder = Recorder()
    whole = ablation.ablate(variants.load(write(variants=some)), out, recorder)
    assert len(recorder.runs) == 4
    assert {name[-1] for name in recorder.runs} == {"1"}
    assert [uar_of(row).of_seeds[:1] for row in whole.rows] == [
        uar_of(row).of_seeds for row in first.rows
    ]
    first, recorder = whole, Recorder()
    whole = ablation.ablate(variants.load(write()), out, recorder)
    assert len(recorder.runs) == 2  # those of the added one
    assert [row.variant for row in whole.rows] == list(ABLATION["variants"])
    assert [row.rates for row in whole.rows[:2]] == [row.rates for row in first.rows]
    before = snapshot(out)
    with pytest.raises(UsageError, match=r"baseline\.seeds: \[0, 1\] found, \[0\] requested"):
        ablation.ablate(variants.load(write(), ["seeds=[0]"]), out, Recorder())
    with pytest.raises(
        UsageError, match=r"another ablation \(variant 'both' found, not requested\)"
    ):
        ablation.ablate(variants.load(write(variants=some)), out, Recorder())
    assert snapshot(out) == before


def test_folders_of_others_are_left_alone(write: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = variants.load(
        write(ingredients=ABLATION["ingredients"] | {"summary": {"model.lstm": 3}})
    )
    ablation.ablate(other, out, Recorder(), hours=0)  # nothing has run, so the folder is free
    one = variants.load(write(), ["seeds=[0]"])
    ablation.ablate(one, out, Recorder(), only=["both"])
    before = snapshot(out)
    with pytest.raises(UsageError, match="holds another ablation"):
        ablation.ablate(other, out, Recorder())
    assert snapshot(out) == before
    alone = tmp_path / "alone"
    base = variants.load(write()).base
    crossval(base, alone, Recorder())
    with pytest.raises(UsageError, match="holds the results of a crossval"):
        ablation.ablate(variants.load(write()), alone, Recorder())


def test_too_few_speakers_end_before_training(
    make_table: Callable[..., Path], write: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table(speakers=2, folder="few")
    asked = variants.load(write(), [f"corpus.root={table}"])
    with pytest.raises(FoldError, match="has 2 speakers"):
        ablation.ablate(asked, tmp_path / "out", Recorder())


def test_the_command_prints_the_table_and_says_what_is_missing(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stopped = emotone("ablate", write(), "--out", out, "--hours", "0")
    assert stopped.returncode == 0, stopped.stderr
    assert "Unfinished: 10 runs are missing" in stopped.stdout
    done = emotone("ablate", write(), "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Unfinished" not in done.stdout
    assert "left" in done.stderr
    table = pd.read_csv(out / "table.csv")
    assert table["variant"].tolist() == list(ABLATION["variants"])
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 1
    links = Links()
    links.feed(page)
    pages = [row.folder + "/report.html" for row in ResultsFolder(out).ablation_results().rows]
    assert [link for link in links.found if not link.startswith("#")] == pages
    assert all((out / place).is_file() for place in pages)
    assert r"baseline $+$ summary" in (out / "report.tex").read_text()
    wrong = emotone("ablate", write(references=["x"]), "--out", out)
    assert wrong.returncode == 2
    assert "unknown variant 'x'" in one_line(wrong)
    (out / "variants" / "both" / "results.json").unlink()
    lost = emotone("report", out)
    assert lost.returncode == 2
    assert "both holds no finished experiment" in one_line(lost)
