import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from emotone.errors import FoldError, UsageError
from emotone.evaluation import metrics
from emotone.experiments import ablation
from emotone.experiments import crossval as experiment
from emotone.experiments.config import SHIPPED, load
from emotone.experiments.crossval import crossval
from emotone.experiments.runs import Run
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network, multiply_adds
from emotone.reporting import report
from tests.helpers import TINY, Links, Recorder, emotone, one_line, snapshot

FILE: dict[str, Any] = {
    "base": {
        "protocol": {"name": "kfold", "folds": 2},
        "seeds": [0, 1],
        "runtime": {"jobs": 2},
        **TINY,
    },
    "ingredients": {"summary": {"model.summary": "mean"}, "deltas": {"features.deltas": 2}},
    "variants": {
        "baseline": [],
        "baseline + summary": ["summary"],
        "both": ["summary", "deltas", {"training.epochs": 2, "seeds": [0]}],
    },
    "references": ["baseline"],
}


@pytest.fixture
def write(make_table: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write an ablation over a small corpus; returns its path."""
    table = make_table()

    def written(**changes: Any) -> Path:
        values = FILE | changes
        corpus = {"corpus": {"name": "table", "root": str(table)}}
        path = tmp_path / "ablation.yaml"
        path.write_text(yaml.safe_dump(values | {"base": corpus | values["base"]}))
        return path

    return written


def test_the_table_says_what_the_predictions_say(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out, recorder = tmp_path / "out", Recorder()
    results = ablation.ablate(ablation.load(write()), out, recorder)
    # the first seed of all variants, then the second; at most one of it can overtake the last
    assert recorder.left == 10
    assert {name[-1] for name in recorder.runs[:5]} == {"0"}
    assert results["missing"] == 0
    rows = {row["variant"]: row for row in results["rows"]}
    assert [row["seeds"] for row in rows.values()] == [[0, 1], [0, 1], [0]]
    uars = {}
    for name, row in rows.items():
        table = pd.read_csv(out / row["folder"] / "predictions.csv")
        uars[name] = [
            metrics.uar(of_seed["truth"].tolist(), of_seed["prediction"].tolist())
            for _, of_seed in table.groupby("seed")
        ]
        assert row["UAR"]["of_seeds"] == pytest.approx(uars[name])
        assert row["UAR"]["mean"] == pytest.approx(np.mean(uars[name]))
    assert rows["baseline"]["UAR"]["std"] == pytest.approx(np.std(uars["baseline"], ddof=1))
    assert rows["both"]["UAR"]["std"] is None
    difference = rows["baseline + summary"]["differences"]["baseline"]
    assert difference["UAR"] == pytest.approx(
        np.mean(uars["baseline + summary"]) - np.mean(uars["baseline"])
    )
    # only the seed that both have
    one_seed = rows["both"]["differences"]["baseline"]
    assert one_seed["seeds"] == [0]
    assert one_seed["UAR"] == pytest.approx(uars["both"][0] - uars["baseline"][0])
    assert one_seed["p_holm"] >= one_seed["p"]
    assert rows["both"]["parameters"] < rows["baseline"]["parameters"]  # a shorter summary
    assert [row["epochs"] for row in rows.values()] == [3, 3, 2]
    heading, _, *lines = [
        line.split(" | ")
        for line in report.render_ablation(results, "md").splitlines()
        if line.startswith("|")
    ]
    assert [line[heading.index("epochs")] for line in lines] == ["3", "3", "2"]

    # each variant is a results folder that crossval continues
    variant = ablation.load(write()).variants["both"]
    again = Recorder()
    crossval(variant, out / rows["both"]["folder"], again)
    assert again.left == 0


def test_the_one_run_of_an_svm_is_paired_with_all_seeds(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("opensmile")
    svm = {"kind": "opensmile-svm", "functionals": "egemaps", "c": [0.01]}
    path = write(variants={"baseline": [], "svm": [{"model": svm, "seeds": [0]}]})
    results = ablation.ablate(ablation.load(path), tmp_path / "out", Recorder())
    baseline, row = results["rows"]
    assert row["seeds"] == [0]
    assert row["epochs"] is None
    difference = row["differences"]["baseline"]
    assert difference["seeds"] == [0, 1]
    assert difference["UAR"] == pytest.approx(row["UAR"]["mean"] - baseline["UAR"]["mean"])


def test_a_budget_leaves_a_valid_part_that_is_continued(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out, asked = tmp_path / "out", ablation.load(write())
    nothing = ablation.ablate(asked, out, Recorder(), hours=0)
    assert nothing["missing"] == 10
    assert [row["UAR"] for row in nothing["rows"]] == [None] * 3
    for path in report.write(out):
        assert path.is_file()
    assert "10 runs are missing" in (out / "report.md").read_text()
    assert report.covered(out) == [out]

    class StopAfterThree(Recorder):
        def finished(self, run: Run, result: dict[str, Any]) -> None:
            super().finished(run, result)
            if len(self.runs) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablation.ablate(asked, out, StopAfterThree())
    part = json.loads((out / "results.json").read_text())
    assert part["missing"] <= 7  # a run that is under way may end while all are stopped
    assert part["rows"][0]["seeds"] == [0]
    rest = Recorder()
    results = ablation.ablate(asked, out, rest)
    assert (len(rest.runs), results["missing"]) == (part["missing"], 0)
    whole = ablation.ablate(asked, tmp_path / "at once", Recorder())
    for one, other in zip(results["rows"], whole["rows"], strict=True):
        assert one["UAR"] == other["UAR"]
        assert one["differences"] == other["differences"]


BAD: list[tuple[dict[str, Any], str]] = [
    (
        {"variants": {"a": [], "b": ["sumary"]}},
        "variant 'b': unknown ingredient 'sumary'; did you mean 'summary'?",
    ),
    (
        {"references": ["basline"]},
        "references: unknown variant 'basline'; did you mean 'baseline'?",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lstm": 4}]}},
        "variant 'b' changes nothing; leave it out",
    ),
    (
        {"variants": {"baseline": [], "a b": ["deltas"], "A-b": ["summary"]}},
        "variants 'a b' and 'A-b' would share the folder a-b; rename one",
    ),
    (
        {"variants": {"baseline": [], "b": ["deltas"], "c": [{"features.deltas": 2}]}},
        "variants 'b' and 'c' are equal; leave one out",
    ),
    (
        {"variants": {"baseline": [], "b": [{"protocol.folds": 3}]}},
        "variant 'b' changes protocol.folds; variants share corpus, protocol and runtime",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lsmt": 3}]}},
        "variant 'b': unknown option 'model.lsmt'; did you mean 'lstm'?",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.kind": "acrn"}]}},
        "model.kind must be one of acrnn-3d, crnn, opensmile-svm, got 'acrn'",
    ),
    (
        {"variants": {"baseline": [], "b": [{"model.lstm": 5, "seeds": [3]}]}},
        "asks for seed 3, which the base has not",
    ),
    ({"base": FILE["base"] | {"seeds": [1, 1]}}, "give at least one seed, each once"),
    ({"variants": {"baseline": []}}, "variants: Dictionary should have at least 2 items"),
]


def test_chosen_variants_run_alone_and_no_other_audio_is_read(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked, recorder = tmp_path / "out", ablation.load(write()), Recorder()
    real, read = experiment._data, []

    def counted(config: Any, *rest: Any) -> Any:
        read.append(config.features.deltas)
        return real(config, *rest)

    monkeypatch.setattr(experiment, "_data", counted)
    results = ablation.ablate(asked, out, recorder, only=["baseline + summary"])
    assert {name.partition(",")[0] for name in recorder.runs} == {"baseline + summary"}
    assert len(recorder.runs) == 4
    assert len(read) == 1
    assert results["missing"] == 6
    assert [row["UAR"] is None for row in results["rows"]] == [True, False, True]
    report.write(out)
    counts = pd.read_csv(out / "table.csv", dtype=str)["parameters"]
    assert counts.dropna().tolist() == [str(results["rows"][1]["parameters"])]
    rest = Recorder()
    assert ablation.ablate(asked, out, rest)["missing"] == 0
    assert len(rest.runs) == 6
    assert len(read) == 3  # nor that of the finished variant again


def test_an_unknown_variant_is_named_before_anything_is_written(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    result = emotone("ablate", write(), "--out", tmp_path / "out", "--only", "bothe")
    assert result.returncode == 2
    assert "unknown variant 'bothe'; did you mean 'both'?" in one_line(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_wrong_files_are_refused(
    write: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ablation.load(write(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_variant_changes_of_an_ingredient_is_its_own(write: Callable[..., Path]) -> None:
    ingredients = {"longer": {"training": {"epochs": 1}}}
    longest = ["longer", {"training.epochs": 2}]
    variants = {"baseline": [], "longest": longest, "longer": ["longer"]}
    loaded = ablation.load(write(ingredients=ingredients, variants=variants))
    assert [each.training.epochs for each in loaded.variants.values()] == [3, 2, 1]


def test_an_experiment_is_no_ablation() -> None:
    with pytest.raises(UsageError, match="this is not an ablation"):
        ablation.load(SHIPPED / "emodb.yaml")


def test_variants_can_be_added_but_not_left_out(write: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    some = dict(list(FILE["variants"].items())[:2])
    first = ablation.ablate(ablation.load(write(variants=some)), out, Recorder())
    recorder = Recorder()
    whole = ablation.ablate(ablation.load(write()), out, recorder)
    assert len(recorder.runs) == 2  # those of the added one
    assert [row["variant"] for row in whole["rows"]] == list(FILE["variants"])
    assert [row["UAR"] for row in whole["rows"][:2]] == [row["UAR"] for row in first["rows"]]
    before = snapshot(out)
    with pytest.raises(UsageError, match=r"another ablation \(variant 'both' there, not asked\)"):
        ablation.ablate(ablation.load(write(variants=some)), out, Recorder())
    assert snapshot(out) == before


def test_folders_of_others_are_left_alone(write: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    ablation.ablate(ablation.load(write()), out, Recorder(), hours=0)
    before = snapshot(out)
    other = ablation.load(write(ingredients=FILE["ingredients"] | {"summary": {"model.lstm": 3}}))
    with pytest.raises(UsageError, match="holds another ablation"):
        ablation.ablate(other, out, Recorder())
    assert snapshot(out) == before
    alone = tmp_path / "alone"
    base = ablation.load(write()).base
    crossval(base, alone, Recorder())
    with pytest.raises(UsageError, match="holds the results of a crossval"):
        ablation.ablate(ablation.load(write()), alone, Recorder())


def test_too_few_speakers_end_before_training(
    make_table: Callable[..., Path], write: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table(speakers=2, folder="few")
    asked = ablation.load(write(), [f"corpus.root={table}"])
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
    assert table["variant"].tolist() == list(FILE["variants"])
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 1
    links = Links()
    links.feed(page)
    pages = [
        row["folder"] + "/report.html"
        for row in json.loads((out / "results.json").read_text())["rows"]
    ]
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


def test_a_file_may_extend_another(tmp_path: Path, write: Callable[..., Path]) -> None:
    write().rename(tmp_path / "common.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: common.yaml\nbase: {seeds: [5]}\nvariants: {both: [summary, deltas]}")
    loaded = ablation.load(path, ["training.epochs=2"])
    assert list(loaded.variants) == list(FILE["variants"])
    assert {variant.seeds for variant in loaded.variants.values()} == {(5,)}
    assert {variant.training.epochs for variant in loaded.variants.values()} == {2}
    path.write_text("extends: mine.yaml")
    with pytest.raises(UsageError, match="extends must name another file"):
        ablation.load(path)
    path.write_text("extends: yours.yaml")
    (tmp_path / "yours.yaml").write_text("extends: mine.yaml")
    with pytest.raises(UsageError, match="extends must name another file"):
        ablation.load(path)


@pytest.mark.parametrize("name", ["ablation-emodb", "ablation-ravdess"])
def test_the_shipped_ablations_hold_the_papers_table(name: str) -> None:
    loaded = ablation.load(SHIPPED / f"{name}.yaml")
    ingredients = ["multi-kernel", "summary", "features", "training"]
    expected = ["baseline", *(f"baseline + {one}" for one in ingredients), "all four"]
    expected += [f"all four − {one}" for one in ingredients]
    assert list(loaded.variants)[: len(expected)] == expected
    assert loaded.base.seeds == (0, 1, 2, 3, 4)
    # one row is the default
    default = load(SHIPPED / "emodb.yaml")
    same = [
        variant
        for variant in loaded.variants.values()
        if (variant.features, variant.model, variant.training)
        == (default.features, default.model, default.training)
    ]
    assert len(same) == 1


def test_the_multi_kernel_ingredient_is_compared_at_equal_size() -> None:
    variants = ablation.load(SHIPPED / "ablation-emodb.yaml").variants
    sizes = []
    for name in ("baseline", "baseline + multi-kernel"):
        asked = variants[name]
        assert isinstance(asked.model, CrnnOptions)
        network = Network(asked.features, asked.model, ["anger", "neutral"])
        sizes.append((sum(p.numel() for p in network.parameters()), multiply_adds(network)))
    (one, cost), (several, their_cost) = sizes
    assert several == pytest.approx(one, rel=0.01)
    assert their_cost == pytest.approx(cost, rel=0.02)
