import json
import re
from pathlib import Path
from typing import Any

import pytest

from emotone.errors import UsageError
from emotone.evaluation import summary as evaluation
from emotone.reporting import report
from tests.evaluation.test_summary import LABELS, predictions
from tests.helpers import Links


def results(seeds: int = 1) -> dict[str, Any]:
    history = [
        {"training_loss": 1.0 / n, "validation_loss": 1.1 / n, "validation_uar": 0.2 * n}
        for n in range(1, 5)
    ]
    run = {"fold": "f0", "seed": 0, "epochs": 4, "kept_epoch": 3, "seconds": 60.0}
    return {
        "corpus": "made <up>",
        "synthetic": False,
        "speaker_dependent": False,
        "transductive": False,
        "pretrained_on": None,
        "labels": LABELS,
        "utterances": 120,
        "speakers": 6,
        "protocol": {"name": "kfold", "folds": 3},
        "seeds": list(range(seeds)),
        "parameters": 12345,
        "validation_UAR": 0.6,
        "enrolment": [],
        **evaluation.summarise(predictions(seeds), LABELS),
        "runs": [run | {"history": history}, run | {"history": history[:3], "epochs": 3}],
        "versions": {"emotone": "1"},
    }


CONFIGURATION = "corpus: {name: emodb}\n"


def test_the_page_stands_alone_and_says_everything() -> None:
    data = results()
    page = report.render(data, CONFIGURATION, "html")
    links = Links()
    links.feed(page)
    assert links.open == []
    assert all(link.startswith("#") for link in links.found)
    assert not re.search(r"url\((?!#)|@import|<script", page)
    assert "made &lt;up&gt;" in page
    assert "made <up>" not in page
    for rate in (data["UAR"], data["WAR"]):
        assert f"{100 * rate['pooled']:.1f} %" in page
        low, high = (f"{100 * end:.1f}" for end in rate["interval_95"])
        assert f"{low} … {high} %" in page
    for row in data["confusion"]:
        for count in row:
            assert f"<small>{count}</small>" in page
    for part in (
        "Recall per emotion",
        "UAR per speaker",
        "Learning curves",
        "corpus: {name: emodb}",
    ):
        assert part in page
    assert page.count("<svg") == 2
    assert "3-fold over speakers, speaker-independent" in page
    assert "synthetic" not in page


def test_synthetic_speech_is_called_so_everywhere() -> None:
    data = results() | {"synthetic": True, "corpus": "synthetic"}
    for kind in ("html", "md", "tex"):
        assert "synthetic speech" in report.render(data, CONFIGURATION, kind).lower()


def test_speaker_dependent_figures_are_called_so_everywhere() -> None:
    data = results() | {"speaker_dependent": True}
    for kind in ("html", "md", "tex"):
        text = report.render(data, CONFIGURATION, kind)
        assert "speaker-dependent" in text
        assert "speaker-independent" not in text.replace("with speaker-independent ones", "")


def test_transductive_figures_are_called_so_everywhere() -> None:
    for kind in ("html", "md", "tex"):
        assert "transductive" not in report.render(results(), CONFIGURATION, kind).lower()
        text = report.render(results() | {"transductive": True}, CONFIGURATION, kind)
        assert "speaker-independent, transductive" in text


def test_markdown_and_latex_carry_the_same_figures() -> None:
    data = results(seeds=2)
    markdown = report.render(data, CONFIGURATION, "md")
    latex = report.render(data, CONFIGURATION, "tex")
    for name in ("UAR", "WAR"):
        pooled = f"{100 * data[name]['pooled']:.1f}"
        assert re.search(rf"\| {name} \(.*\) \| {pooled} \|", markdown)
        assert re.search(rf"{name} & {pooled} &", latex)
    assert "seeds 0, 1" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| anger |")]
    assert table[1].count("|") == 5


def test_reports_are_written_and_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(results()))
    (tmp_path / "config.yaml").write_text(CONFIGURATION)
    paths = report.write(tmp_path)
    assert [path.name for path in paths] == ["report.html", "report.md", "report.tex"]
    before = [path.read_text() for path in paths]
    report.write(tmp_path)
    assert [path.read_text() for path in paths] == before


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished experiment"):
        report.write(tmp_path)


@pytest.mark.parametrize("content", [None, "{"])
def test_an_ablation_without_results_is_refused(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "ablation.yaml").touch()
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(UsageError, match="holds no finished experiment"):
        report.write(tmp_path)
    with pytest.raises(UsageError, match="holds no finished experiment"):
        report.export_audformat(tmp_path, tmp_path / "predictions")


def test_what_stands_beside_the_headline_is_said() -> None:
    two = results(seeds=2)
    two["enrolment"] = [
        {"enrolled": 0, "UAR": 0.5, "difference": 0.0, "interval_95": [0.0, 0.0], "p": 1.0},
        {"enrolled": 25, "UAR": 0.553, "difference": 0.053, "interval_95": [0.01, 0.1], "p": 0.02},
    ]
    page = report.render(two, CONFIGURATION, "html")
    assert "Mean posteriors of the 2 seeds together" in page
    assert "utterances of the speaker known" in page
    markdown = report.render(two, CONFIGURATION, "md")
    assert "| 25 | 55.3 | +5.3 [+1.0, +10.0] | 0.020 |" in markdown
    assert "Mean posteriors" not in report.render(results(), CONFIGURATION, "md")
