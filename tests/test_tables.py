"""The generated parts of the README follow from results, as far as there are some."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from emotone.evaluation import scoring
from emotone.evaluation.results import AblationResults, CorpusRates, PairedDifference
from emotone.evaluation.results_folder import ResultsFolder
from tests.helpers import script
from tests.made_results import (
    LABELS,
    made_ablation,
    made_predictions,
    made_rates,
    made_results,
    made_row,
    made_system,
)

ROOT = Path(__file__).parents[1]
GAIN = PairedDifference(0.1, (0.02, 0.2), 0.01, seeds=(0, 1), p_holm=0.02)


def results() -> AblationResults:
    """A partial table: one row with an interval, one that starts from a network, one to come."""
    rates = made_rates(0.6, 0.59, 0.61)
    names = ("baseline", *(f"baseline + {name}" for name in ("multi-kernel", "features")))
    rows = [made_row(name, rates, seeds=(0, 1)) for name in names]
    rows += [
        made_row(name, rates, seeds=(0, 1), differences={"baseline": GAIN})
        for name in ("baseline + summary", "baseline + training")
    ]
    rows.append(made_row("all four", None))
    rows.append(made_row("default, from scratch", rates, seeds=(0, 1)))
    gained = {"baseline": GAIN, "default, from scratch": GAIN}
    system = made_system(pretrained_on="nemo+savee")
    rows.append(
        made_row(
            "default, pre-trained", made_rates(0.7, 0.7, 0.7), seeds=(0, 1), system=system,
            differences=gained,
        )
    )  # fmt: skip
    return made_ablation(rows=tuple(rows), references=("baseline", "default, from scratch"))


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, in a repository with results of EMO-DB and SAVEE."""
    loaded = script(ROOT / "results" / "tables.py")
    monkeypatch.setattr(loaded, "ROOT", tmp_path)
    monkeypatch.setattr(loaded, "HERE", tmp_path / "results")
    for corpus in ("emodb", "ravdess", "savee"):
        folder = ResultsFolder(tmp_path / "results" / "benchmark" / corpus)
        folder.write_ablation("{}")
        folder.write_results(results())
        for row in results().rows:
            if row.rates is not None:
                folder.variant(row.folder).write_results(made_results(2))
    return loaded


def test_the_first_table_says_what_each_ingredient_is_worth(tables: Any) -> None:
    gain = "+10.0 [+2.0, +20.0], 2 seeds"
    lines = tables.ingredients().strip().splitlines()
    assert f"| + summary | {gain} | {gain} |" in lines
    assert "| + features | – | – |" in lines
    assert "| all four | – | – |" in lines


def test_results_of_before_stand_until_all_that_a_table_needs_has_run(tables: Any) -> None:
    before = ResultsFolder(tables.HERE / "ablation-emodb")
    before.write_ablation("{}")
    lone = [
        replace(row, rates=made_rates(0.5), finished=row.runs, differences={"baseline": GAIN})
        for row in results().rows
    ]
    before.write_results(made_ablation(rows=tuple(lone), references=("baseline",)))
    title, _, *lines = tables.ingredients().strip().splitlines()
    assert title == "| baseline | EMO-DB cut to 2.0 s, Δ UAR | RAVDESS, Δ UAR |"
    assert lines[-1] == "| all four | +10.0 [+2.0, +20.0], 2 seeds | – |"
    assert "benchmark/emodb" in tables.emodb_default()


def test_the_one_table_of_the_readme_has_the_field_beside_us(tables: Any) -> None:
    """SAVEE is no row of it, and what has not run is a dash."""
    unseen = made_results(2)
    rates = CorpusRates(unseen.scores.uar, unseen.scores.war, utterances=12)
    unseen = replace(unseen, by_corpus={"aesdd": rates})
    folder = tables.HERE / "models" / "emotone-base" / "cross-corpus"
    ResultsFolder(folder).write_results(unseen)
    _, _, *lines = tables.summary().strip().splitlines()
    places = ("EMO-DB", "EMO-DB", "RAVDESS", "RAVDESS", "unseen: AESDD")
    assert len(lines) == len(places)
    for line, place in zip(lines, places, strict=True):
        assert line.startswith(f"| [{place}")
    assert lines[0].startswith("| [EMO-DB, new speakers, from scratch](")
    assert lines[1].endswith(" | – | – | – |")
    assert lines[3].endswith(f" | – | – | {tables.PUBLISHED['ravdess']} |")


def test_the_speed_is_one_line_with_its_ratios(tables: Any) -> None:
    tables.BENCHMARKS = tables.ROOT / "RESULTS.md"
    rows = [
        "| what | ms | times | relative |", "|---|---|---|---|", "| emotone | 5.0 | 600 | 1.00 |",
        "| in batches | 4.0 | 700 | 0.80 |", "| large | 50.0 | 60 | 10.04 |", "", "| other |",
    ]  # fmt: skip
    tables.BENCHMARKS.write_text("\n".join(rows), encoding="utf-8")
    said = tables.speed_line()
    assert (
        "emotone takes 5.0 ms on one core (600 times real time). large: 10.0 times as long" in said
    )


def test_both_defaults_are_shown(tables: Any) -> None:
    text = tables.emodb_default()
    folder = "results/benchmark/emodb/variants"
    assert f"| [default, from scratch]({folder}/default,-from-scratch/report.md) | 60.0 [" in text
    assert f"| [default, pre-trained]({folder}/default,-pre-trained/report.md) | 70.0 [" in text
    assert "not yet" not in text


def test_a_partial_table_has_the_rows_that_are_there(tables: Any) -> None:
    lines = tables.emodb().splitlines()
    (default,) = [line for line in lines if line.startswith("| default, pre-trained")]
    together = made_results(2).scores.ensemble
    assert together is not None
    assert f" | {100 * together.uar.mean:.1f} | 71.0 ± 0.0 | +10.0 [+2.0, +20.0]* |" in default
    assert not [line for line in lines if line.startswith("| all four")]
    assert "- EMO-DB: 3 runs (all four 0 of 3)\n" in tables.missing()


def test_other_corpora_come_as_they_are_run(tables: Any) -> None:
    text = tables.beside()
    assert "\nSAVEE:\n" in text
    assert "nEMO" not in text
    gained = tables.pretrained().strip().splitlines()[2:]
    assert [line.split("]")[0] for line in gained] == ["| [EMO-DB", "| [RAVDESS", "| [SAVEE"]
    assert all("| nemo + savee | 70.0" in line for line in gained)


def test_few_labels_are_shown_in_order_after_none(tables: Any) -> None:
    unseen = made_results(2)
    rates = CorpusRates(unseen.scores.uar, unseen.scores.war, utterances=12)
    unseen = replace(unseen, by_corpus={"savee": rates})
    ResultsFolder(tables.HERE / "models" / "emotone-base" / "without-pitch").write_results(unseen)
    assert tables.few_labels() == "\nnot run yet\n\n"
    for few, adapted in ((20, made_rates(0.7)), (5, None)):
        place = ResultsFolder(tables.HERE / "few-labels" / "savee" / str(few))
        place.write_ablation("{}")
        differences = {"from scratch": GAIN} if adapted else {}
        rows = (
            made_row("from scratch", made_rates(0.4)),
            made_row("adapted", adapted, differences=differences),
            made_row("ComParE 2016 + SVM", made_rates(0.5)),
        )
        place.write_results(made_ablation(rows=rows, references=("from scratch",)))
    _, _, none, five, twenty = tables.few_labels().strip().splitlines()
    assert none.startswith("| SAVEE | 0 | – | – | ")
    alone = "40.0 [35.0, 45.0] | 50.0 [45.0, 55.0]"
    assert five == f"| SAVEE | 5 | {alone} | – | – | – |"
    assert twenty == f"| SAVEE | 20 | {alone} | 70.0 [65.0, 75.0] | +10.0 [+2.0, +20.0] | 0.010 |"


def test_new_sentences_are_compared_with_known_ones_of_each_system(tables: Any) -> None:
    assert tables.text_independent() == "\nnot run yet\n\n"
    right = made_predictions().assign(file="f", start=0.0, end=1.0)
    right["prediction"] = right["truth"]
    wrong = right.assign(prediction="anger")
    for sentences, predictions in (("all", right), ("same", right), ("other", wrong)):
        place = ResultsFolder(tables.HERE / "text-independent" / "emodb" / "svm" / sentences)
        place.write_predictions(predictions)
        scores = scoring.score(predictions, LABELS)
        place.write_results(made_results(scores=scores))
        (place.path / "report.md").write_text("report")
    (line,) = tables.text_independent().strip().splitlines()[2:]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[:2] == ["EMO-DB", "ComParE 2016 + SVM"]
    folder = "results/text-independent/emodb/svm"
    assert cells[2] == f"[100.0 [100.0, 100.0]]({folder}/all/report.md)"
    assert cells[4].endswith(f"]({folder}/other/report.md)")
    assert cells[5].startswith("−66.7 [")
    assert cells[5:7] == cells[7:9]
    (tables.HERE / "text-independent" / "emodb" / "svm" / "same" / "report.md").unlink()
    (line,) = tables.text_independent().strip().splitlines()[2:]
    without = [cell.strip() for cell in line.split("|")[1:-1]]
    assert without == [*cells[:3], "–", cells[4], "–", "–", *cells[7:]]
    (tables.HERE / "text-independent" / "emodb" / "svm" / "other" / "report.md").unlink()
    assert tables.text_independent() == "\nnot run yet\n\n"


def test_variants_on_unknown_corpora_are_compared_to_the_shipped_one() -> None:
    search = script(ROOT / "results" / "search" / "search.py")
    rows = [
        ("more", 0, "ased", 53.0, 1.5), ("more", 0, "emodb", 71.0, 1.1),
        ("emotone-base", 0, "ased", 50.0, 1.4), ("emotone-base", 0, "emodb", 70.0, 1.0),
        ("emotone-base", 1, "ased", 60.0, 1.2), ("not all yet", 0, "ased", 49.0, 1.3),
    ]  # fmt: skip
    runs = pd.DataFrame(rows, columns=["variant", "seed", "corpus", "uar", "nll"])
    assert search.unknown(runs).splitlines() == [
        "| variant | seeds | ased | emodb | mean | NLL | minus emotone-base |",
        "|---|---|---|---|---|---|---|",
        "| emotone-base | 2 | 55.0 | 70.0 | 62.5 | 1.15 | – |",
        "| more | 1 | 53.0 | 71.0 | 62.0 | 1.30 | +2.0 ± 1.0 |",
        "| not all yet | 1 | 49.0 | – | – | – | – |",
    ]


def test_choices_are_compared_over_their_corpora(tmp_path: Path) -> None:
    search = script(ROOT / "results" / "search" / "search.py")
    assert search.choices(tmp_path) == ""
    for corpus, difference in (("aesdd", 0.02), ("ased", -0.01)):
        gain = {"pre-trained": PairedDifference(difference, (0, 0.1), 0.5, seeds=(0,), p_holm=1)}
        rows = (
            made_row("pre-trained", made_rates(0.6)),
            made_row("2 million parameters", made_rates(0.6 + difference), differences=gain),
            made_row("not yet", None),
        )
        folder = ResultsFolder(tmp_path / corpus)
        folder.write_ablation("{}")
        folder.write_results(made_ablation(rows=rows, references=("pre-trained",)))
    assert search.choices(tmp_path).splitlines() == [
        "| variant | seeds | AESDD | ASED | minus pre-trained |",
        "|---|---|---|---|---|",
        "| pre-trained | 1 | 60.0 [55.0, 65.0] | 60.0 [55.0, 65.0] | – |",
        "| 2 million parameters | 1 | 62.0 [57.0, 67.0] | 59.0 [54.0, 64.0] | +0.5 |",
    ]
