from dataclasses import replace

import pytest

from emotone.cli.tables import show_ablation, show_results
from emotone.evaluation.results import CorpusRates
from tests.made_results import made_ablation, made_rates, made_results


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in text.splitlines()
        if line.startswith("│")
    ]


def test_rates_are_pooled_with_interval_and_folds(capsys: pytest.CaptureFixture[str]) -> None:
    corpora = {"a": CorpusRates(**vars(made_rates(0.5)), utterances=40)}
    results = made_results(seeds=2, by_corpus=corpora)
    show_results(results)
    text = capsys.readouterr().out
    title = text.partition("\n")[0].strip()
    assert title == "made <up>, speaker-independent, 6 speakers, 3 emotions, seeds 0, 1"
    uar, _, of_corpus = rows(text)
    rate = results.scores.uar
    low, high = rate.interval_95
    assert uar == [
        "UAR (balanced accuracy, UA)",
        f"{100 * rate.mean:.1f}",
        f"{100 * low:.1f} … {100 * high:.1f}",
        f"{100 * rate.fold_mean:.1f} ± {100 * rate.fold_std:.1f}",
    ]
    assert of_corpus == ["UAR of a", "50.0", "45.0 … 55.0", "50.0 ± 2.0"]


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a[/b]", "[red]b", ":smile:")
    rates = CorpusRates(**vars(made_rates(0.5)), utterances=40)
    results = made_results(seeds=1, by_corpus=dict.fromkeys(names, rates))
    show_results(replace(results, setting=replace(results.setting, corpus="[/i]x")))
    text = capsys.readouterr().out
    assert text.startswith("[/i]x, speaker-independent")
    assert [row[0] for row in rows(text)[2:]] == [f"UAR of {name}" for name in names]


def test_an_ablation_has_a_row_per_variant(capsys: pytest.CaptureFixture[str]) -> None:
    show_ablation(made_ablation())
    text = capsys.readouterr().out
    assert rows(text) == [
        ["baseline", "60.0 ± 1.4", "–", "6/6"],
        ["full_size", "70.0", "+10.0 [−1.0, +20.0], 0.080", "3/3"],
        ["not yet", "–", "–", "1/3"],
    ]
    assert "Unfinished: 2 runs are missing" in text
    show_ablation(made_ablation(rows=made_ablation().rows[:2]))
    assert "Unfinished" not in capsys.readouterr().out
