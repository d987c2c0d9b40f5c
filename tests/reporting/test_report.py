from pathlib import Path

import pytest

from emotone.errors import UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.reporting import database, report
from tests.helpers import snapshot
from tests.made_results import made_ablation, made_results

RESULTS = Path(__file__).parents[2] / "results"
CONFIGURATION = "corpus: {name: emodb}\n"


def experiment(path: Path) -> ResultsFolder:
    folder = ResultsFolder(path)
    folder.write_experiment(CONFIGURATION, "{}")
    folder.write_results(made_results())
    return folder


def test_reports_are_written_and_the_same_each_time(tmp_path: Path) -> None:
    experiment(tmp_path)
    paths = report.write(tmp_path)
    assert [path.name for path in paths] == ["report.html", "report.md", "report.tex"]
    before = [path.read_text() for path in paths]
    report.write(tmp_path)
    assert [path.read_text() for path in paths] == before
    assert CONFIGURATION in before[1]


def test_an_ablation_has_a_report_for_each_variant_with_results(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.write_ablation("{}")
    folder.write_results(made_ablation())
    variants = [experiment(tmp_path / "variants" / name) for name in ("baseline", "full_size")]
    assert report.covered(tmp_path) == [
        tmp_path, *(variant.path for variant in variants),
    ]  # fmt: skip
    advanced = []
    paths = report.write(tmp_path, lambda: advanced.append(1))
    assert [path.name for path in paths] == [
        "report.html", "report.md", "report.tex", "table.csv",
    ]  # fmt: skip
    assert len(advanced) == 3
    assert all((variant.path / "report.html").is_file() for variant in variants)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished experiment"):
        report.write(tmp_path)


@pytest.mark.parametrize(("content", "message"), [
    (None, "holds no finished experiment"), ("{", "is damaged"),
])  # fmt: skip
def test_an_ablation_without_results_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    (tmp_path / "ablation.yaml").touch()
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        report.write(tmp_path)
    with pytest.raises(UsageError, match=message):
        database.export(tmp_path, tmp_path / "predictions")


@pytest.mark.parametrize("name", ["report.md", "report.html", "report.tex"])
def test_a_report_of_the_user_stays(tmp_path: Path, name: str) -> None:
    experiment(tmp_path)
    (tmp_path / name).write_text("# My own notes\n")
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=f"{name} exists and was not made by emotone"):
        report.write(tmp_path)
    assert snapshot(tmp_path) == before
    report.write(tmp_path, force=True)
    assert report.is_report(tmp_path / name)


def test_reports_that_were_committed_are_known() -> None:
    written = [*RESULTS.rglob("report.*"), *RESULTS.rglob("table.csv"), *RESULTS.rglob("audit.md")]
    assert len(written) > 20
    assert all(map(report.is_report, written))
