import io
from dataclasses import replace

import pandas as pd
import pytest

from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import DimensionScore
from emotone.reporting import ablation_report
from tests.helpers import Links
from tests.made_results import made_ablation, made_rates, made_row, made_setting, made_system


def test_the_page_stands_alone_but_for_the_variants() -> None:
    page = ablation_report.render(made_ablation(), "html")
    links = Links()
    links.feed(page)
    assert links.open == []
    outside = [link for link in links.found if not link.startswith("#")]
    assert outside == ["variants/baseline/report.html", "variants/full_size/report.html"]
    assert page.count("<svg") == 1
    assert "UAR and differences" in page


def test_a_row_has_rates_differences_and_size() -> None:
    markdown = ablation_report.render(made_ablation(), "md").splitlines()
    name = "[baseline](variants/baseline/report.md)"
    assert f"| {name} | 60.0 ± 1.4 | 61.0 ± 1.4 | – | – | 2 | 12,345 | 3.0 | 30 | 1.5 |" in markdown
    (default,) = [line for line in markdown if line.startswith("| [full_size]")]
    assert " (default) | 70.0 | 71.0 | +10.0 [−1.0, +20.0] | 0.080 | 1 | " in default
    assert "| not yet | – | – | – | – | 0 | 12,345 | 3.0 | 30 | 1.5 |" in markdown
    latex = ablation_report.render(made_ablation(), "tex").splitlines()
    assert r"full\_size & 70.0 & $+$10.0 [$-$1.0, $+$20.0] & 0.080 & 12,345 & 1 \\" in latex


def test_a_row_says_what_it_knew() -> None:
    system = made_system(transductive=True, pretrained_on="nemo")
    row = made_row("a", made_rates(0.5), system=system)
    markdown = ablation_report.render(made_ablation(rows=(row,)), "md")
    assert "report.md) (pre-trained on nemo) (transductive) |" in markdown


@pytest.mark.parametrize("kind", ["html", "md", "tex"])
def test_what_is_missing_synthetic_or_dependent_is_said(kind: str) -> None:
    protocol = ProtocolOptions(name="fold_column", speaker_dependent=True)
    said = ("unfinished", "synthetic speech", "speaker-dependent")
    text = ablation_report.render(
        made_ablation(setting=made_setting(protocol=protocol, synthetic=True)), kind
    ).lower()
    assert all(part in text for part in said)
    whole = ablation_report.render(made_ablation(rows=made_ablation().rows[:2]), kind).lower()
    assert not any(part in whole for part in said)
    if kind != "tex":
        assert "not yet 1 of 3" in text


def test_the_table_has_a_row_per_variant() -> None:
    text = ablation_report.table(made_ablation()).to_csv(index=False)
    table = pd.read_csv(io.StringIO(text), index_col="variant")
    assert list(table.columns) == [
        "seeds", "UAR_mean", "UAR_std", "UAR_low", "UAR_high",
        "WAR_mean", "WAR_std", "WAR_low", "WAR_high",
        "UAR minus baseline", "UAR minus baseline, low", "UAR minus baseline, high",
        "p against baseline", "p against baseline, Holm",
        "parameters", "multiply_adds_per_s", "epochs", "training_s", "finished", "runs",
    ]  # fmt: skip
    assert table.loc["baseline", "seeds"] == "0 1"
    assert table.loc["baseline", "UAR_std"] == pytest.approx(0.02 / 2**0.5)
    assert table.loc["full_size", "UAR minus baseline, low"] == -0.01
    assert table["UAR_mean"].isna().tolist() == [False, False, True]
    assert ",12345,3000000,30,90,3,3\n" in text


def test_tables_show_the_concordance_where_there_is_one() -> None:
    made = made_ablation()
    score = DimensionScore(60, 0.5, (0.4, 0.6), (0.45, 0.55), 0.6, 0.1)
    undefined = DimensionScore(60, None, None, (), None, 0.2)
    first, second, *others = made.rows
    rows = (
        replace(first, dimensions={"arousal": score}),
        replace(second, dimensions={"arousal": undefined}),
        *others,
    )
    results = replace(made, rows=rows)
    markdown = ablation_report.render(results, "md")
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert "| WAR, % | CCC of arousal | UAR minus" in lines[0]
    assert "| 0.500 ± 0.071 |" in lines[1]
    assert "| undefined |" in lines[2]
    assert len({line.count("|") for line in lines}) == 1
    assert "CCC of<br>arousal" in ablation_report.render(results, "html")
    latex = ablation_report.render(results, "tex").splitlines()
    assert len({line.count("&") for line in latex if "&" in line and not line.startswith("%")}) == 1
    table = ablation_report.table(results)
    assert table["CCC of arousal"].tolist()[:1] == [0.5]
    assert pd.isna(table["CCC of arousal"].iloc[1])
    assert "CCC" not in ablation_report.render(made, "md")
