import math
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
import pytest
import yaml

from emotone.errors import CorpusError, FoldError, StorageError, UsageError
from emotone.evaluation import metrics
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.search_results import read_search
from emotone.experiments import search as searching
from emotone.experiments import space as spaces
from emotone.experiments.config import load
from emotone.experiments.crossval import crossval
from emotone.experiments.execution import InterruptedRunError
from emotone.experiments.search import Limits, search
from emotone.experiments.studies import Proposal, Study
from emotone.reporting import search_report
from tests.helpers import TINY, Recorder, config, emotone, one_line

pytestmark = pytest.mark.slow

SPACE: dict[str, Any] = {
    "training.learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
    "model.summary": ["last", "mean"],
    "training.averaging": {"choices": [0.0, 0.5], "when": {"model.summary": ["mean"]}},
}
ONE_EPOCH = {"training": TINY["training"] | {"epochs": 1}}

Make = Callable[..., Path]


@pytest.fixture
def make(make_table: Make, tmp_path: Path) -> Callable[..., spaces.Space]:
    """A space of a tiny experiment on six speakers, of whom two are held out."""
    table = make_table(speakers=6)

    def make(space: dict[str, Any] | None = None, **changes: Any) -> spaces.Space:
        path = tmp_path / "space.yaml"
        path.write_text(yaml.safe_dump(SPACE if space is None else space, sort_keys=False))
        protocol = {"name": "kfold", "folds": 3, "validation_speakers": 0}
        return spaces.load(path, config(table, **({"protocol": protocol} | ONE_EPOCH | changes)))

    return make


Spaces = Callable[..., spaces.Space]


def test_test_speakers_are_in_no_run_of_a_search(make: Spaces, tmp_path: Path) -> None:
    out = tmp_path / "search"
    results = search(make(), out, Recorder(), Limits(trials=2), inner_folds=2)
    assert len(results.held_out) == 2
    assert sorted((*results.speakers, *results.held_out)) == [f"s{n}" for n in range(6)]
    for trial in results.trials:
        found = ResultsFolder(out / trial.folder).predictions()
        assert set(found["speaker"]) == set(results.speakers)
        assert found["utterance"].is_unique
        uar = metrics.uar(found["truth"].tolist(), found["prediction"].tolist())
        assert trial.uar == pytest.approx(uar)
    assert results.best.uar == max(trial.uar or 0 for trial in results.trials)
    assert not (out / ".spectrograms").exists()


def test_the_best_configuration_tests_the_held_out_speakers(make: Spaces, tmp_path: Path) -> None:
    space, out = make(), tmp_path / "search"
    results = search(space, out, Recorder(), Limits(trials=2), fold="2", inner_folds=2)
    root = space.config.corpus[0].root
    best = load(out / "best.yaml", [f"corpus.root={root}"])
    assert best.protocol.only == ("2",)
    assert best.training.learning_rate == results.best.values["training.learning_rate"]
    tested = crossval(best, tmp_path / "test", Recorder())
    assert set(tested.scores.by_speaker) == set(results.held_out)


def test_a_search_resumes_where_it_was_interrupted(make: Spaces, tmp_path: Path) -> None:
    out, seen = tmp_path / "search", Recorder()
    search(make(), out, seen, Limits(trials=1), inner_folds=2)
    again = Recorder()
    results = search(make(), out, again, Limits(trials=1), inner_folds=2)
    assert len(results.trials) == 1
    assert again.runs == []  # nothing is trained again

    stopped: list[dict[str, Any]] = []

    def stop(self: Proposal, uar: float, runs: int) -> bool:
        stopped.append(dict(self.values))
        raise InterruptedRunError("stopped")

    with (
        mock.patch.object(Proposal, "is_pruned", stop),
        pytest.raises(InterruptedRunError),
    ):
        search(make(), out, Recorder(), Limits(trials=2), inner_folds=2)
    after = Recorder()
    results = search(make(), out, after, Limits(trials=2), inner_folds=2)
    assert [trial.state for trial in results.trials] == ["scored", "scored"]
    assert results.trials[1].values == stopped[0]
    assert after.runs == []  # both of its runs were finished


def test_worse_trials_are_pruned(make: Spaces, tmp_path: Path) -> None:
    with mock.patch.object(Proposal, "is_pruned", lambda self, uar, runs: self.number == 1):
        results = search(
            make(runtime={"jobs": 1}), tmp_path / "out", Recorder(), Limits(trials=3), inner_folds=2
        )
    assert [trial.state for trial in results.trials] == ["scored", "pruned", "scored"]
    assert [trial.runs for trial in results.trials] == [2, 1, 2]
    assert results.trials[1].uar is not None
    assert results.best.number != 1


def test_a_trial_below_the_median_of_the_same_runs_is_pruned(make: Spaces, tmp_path: Path) -> None:
    def uar(run: Any) -> float:
        return {"trial 5": 0.1, "trial 6": 0.9}.get(run.experiment.name, 0.5)

    space = make(runtime={"jobs": 1})
    with mock.patch.object(searching, "_uar", uar):
        results = search(space, tmp_path / "out", Recorder(), Limits(trials=7), inner_folds=2)
    assert [trial.state for trial in results.trials] == [*["scored"] * 5, "pruned", "scored"]
    assert results.trials[5].uar == 0.1
    assert results.trials[5].runs == 1


def test_the_configuration_itself_is_tried_first(make: Spaces, tmp_path: Path) -> None:
    space = make({"training.averaging": [0.3, 0.0], "training.batch": {"low": 2, "high": 8}})
    assert space.start() == {"training.averaging": "0.3", "training.batch": 4}
    results = search(space, tmp_path / "out", Recorder(), Limits(trials=1), inner_folds=2)
    assert results.start == 0
    assert results.trials[0].values == {"training.averaging": 0.3, "training.batch": 4}
    assert make({"training.batch": {"low": 8, "high": 16}}).start() is None
    assert make({"training.batch": {"low": 1, "high": 16, "step": 2}}).start() is None
    assert results.importance == {}  # of one trial


def test_conditions_are_respected(make: Spaces, tmp_path: Path) -> None:
    results = search(make(), tmp_path / "out", Recorder(), Limits(trials=6), inner_folds=2)
    summaries = {trial.values["model.summary"] for trial in results.trials}
    assert summaries == {"last", "mean"}
    for trial in results.trials:
        assert ("training.averaging" in trial.values) == (trial.values["model.summary"] == "mean")
    assert set(results.importance) == {"training.learning_rate", "model.summary"} or (
        results.importance == {}  # all trials are equally good
    )


def test_values_that_do_not_go_together_are_named_and_skipped(make: Spaces, tmp_path: Path) -> None:
    space = make({"training.segment_s": [0.2, None]}, training=TINY["training"] | {"epochs": 1})
    out = tmp_path / "out"
    results = search(space, out, Recorder(), Limits(trials=6), inner_folds=2)
    states = {trial.values["training.segment_s"]: trial.state for trial in results.trials}
    assert states == {None: "scored", 0.2: "impossible"}
    search_report.write(out)
    text = (out / "report.md").read_text()
    assert "Impossible: " in text
    assert "set training.crop=1 with it" in text


def test_nothing_possible_is_an_error(make: Spaces, tmp_path: Path) -> None:
    space = make({"training.segment_s": [0.2, 0.3]})
    with pytest.raises(UsageError, match=r"no configuration .* is possible: .*training\.crop=1"):
        search(space, tmp_path / "out", Recorder(), Limits(hours=1), inner_folds=2)


def test_the_reason_is_given_if_no_trial_is_possible(make: Spaces, tmp_path: Path) -> None:
    space = make({"training.segment_s": [0.2, 0.3]})
    results = search(space, tmp_path / "out", Recorder(), Limits(trials=3), inner_folds=2)
    message = (
        r"3 impossible trials were skipped, the last reason: .*training\.crop=1 .*; change the"
    )
    with pytest.raises(UsageError, match=message):
        _ = results.best


def test_importance_is_of_options_that_had_several_values(make: Spaces, tmp_path: Path) -> None:
    space = make({"training.batch": {"low": 2, "high": 8}, "training.averaging": [0.3]})
    study = Study(tmp_path / "search.db", space, seed=0)
    found = []
    for uar in (0.5, 0.5, 0.8):
        study.ask().score(uar)
        found.append(set(study.importance()))
    assert found == [set(), set(), {"training.batch"}]


def test_the_command_counts_impossible_trials(
    make: Spaces, make_table: Make, tmp_path: Path
) -> None:
    make({"training.segment_s": [None, 0.2, 0.3, 0.4]})
    options = [f"{section}={yaml.safe_dump(value, default_flow_style=True).strip()}"
               for section, value in (TINY | ONE_EPOCH).items()]  # fmt: skip
    done = emotone(
        "search", make_table(speakers=6, folder="other"), tmp_path / "space.yaml", *options,
        "protocol.name=kfold", "protocol.folds=3", "protocol.validation_speakers=0",
        "--trials", "3", "--inner-folds", "2", "--out", tmp_path / "search",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 impossible trials were skipped, the last reason: " in done.stderr
    assert "set training.crop=1 with it" in done.stderr


def test_the_command_writes_report_and_configuration(
    make: Spaces, make_table: Make, tmp_path: Path
) -> None:
    table, out = make_table(speakers=6, folder="other"), tmp_path / "search"
    make()
    options = [f"{section}={yaml.safe_dump(value, default_flow_style=True).strip()}"
               for section, value in (TINY | ONE_EPOCH).items()]  # fmt: skip
    arguments: list[Any] = [
        "search", table, tmp_path / "space.yaml", "protocol.name=kfold", "protocol.folds=3",
        *options, "--trials", "3", "--inner-folds", "2", "--out", out,
    ]  # fmt: skip
    done = emotone(*arguments)
    assert done.returncode == 0, done.stderr
    assert "best of " in done.stdout
    assert f"report: {out / 'report.html'}" in done.stdout
    page = (out / "report.html").read_text()
    assert page.count("<svg") >= 2
    assert "Parallel coordinates" in page
    assert "did not see the test speakers of" in page
    results = read_search(out)
    assert str(results.best.number) in (out / "report.md").read_text()
    (out / "report.html").unlink()
    again = emotone("report", out)
    assert again.stdout.split() == [str(out / "report.html"), str(out / "report.md")]
    assert (out / "report.html").read_text() == page
    (out / "report.md").write_text("# My own notes\n")
    assert "report.md exists and was not made by emotone" in one_line(emotone("report", out))
    assert emotone("report", out, "--force").returncode == 0
    done = emotone(*arguments[:-4], "--inner-folds", "3", "--out", out)
    assert "holds another search (inner_folds: 2 found, 3 requested)" in one_line(done)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"training.epoch": [1]}, "unknown option 'training.epoch'; did you mean 'epochs'"),
        ({"modell.lstm": [1]}, "modell.lstm cannot be searched; trials share corpus"),
        ({"corpus.keep": [["anger"]]}, "corpus.keep cannot be searched"),
        ({"seeds": [[1]]}, "seeds cannot be searched"),
        ({"model.kind": ["crnn", "ssl"]}, "kind cannot be searched, .*; search once for each kind"),
        ({"training.batch": {"low": 8, "high": 4}}, "low must be below high, got 8 and 4"),
        (
            {"training.warmup": {"low": "a", "high": 0.1}},
            r"warmup\.low: input should be a valid number.*, got 'a'",
        ),
        ({"training.batch": {"low": 8}}, "give either choices, or low and high"),
        ({"training.batch": {"lo": 8, "high": 9}}, "unknown option 'training.batch.lo'; did you"),
        ({"training.batch": {"low": 0, "high": 9, "log": True}}, "log needs low above 0"),
        ({"training.batch": []}, "training.batch"),
        ({"training.batch": {"choices": [1], "when": {"a": [1]}}}, "names 'a', which is no option"),
        (
            {
                "training.batch": {"choices": [1], "when": {"training.crop": [1]}},
                "training.crop": {"choices": [1], "when": {"training.batch": [1]}},
            },
            "training.batch, training.crop depend on each other",
        ),
        ({}, "no options; give one such as"),
        ({"training.batch": []}, "training.batch: there are no choices; give at least one"),
        (
            {"training.batch": 5},
            "training.batch: expected a list of choices, or low and high, got 5",
        ),
        ({"training": {"learning_rate": [0.1]}}, r"write training\.learning_rate: \[0\.1\]"),
        (
            {"training.augment": {"tempo": [0.1, 0.2]}},
            r"training\.augment: .* write training\.augment\.tempo: \[0\.1, 0\.2\]",
        ),
        (
            {
                "training.batch_norm": ["running"],
                "training.crop": {"choices": [1], "when": {"training.batch_norm": ["foo"]}},
            },
            r"training\.crop: the condition \(when\) training\.batch_norm: \['foo'\] never holds; "
            r"training\.batch_norm is one of \[running\]",
        ),
        (
            {
                "training.batch_norm": ["running"],
                "training.crop": {"choices": [1], "when": {"training.batch_norm": []}},
            },
            "never holds",
        ),
        (
            {
                "training.batch": {"low": 4, "high": 16, "step": 4},
                "training.crop": {"choices": [1], "when": {"training.batch": [8, 9]}},
            },
            r"batch: \[9\] never holds; .* is a whole number from 4 to 16 in steps of 4",
        ),
        (
            {
                "training.crop": {"low": 0.5, "high": 1},
                "training.batch": {"choices": [8], "when": {"training.crop": [0.7]}},
            },
            r"crop: \[0\.7\] never holds; training\.crop is any real number from 0\.5 to 1\.0",
        ),
        ({"model.summary": ["mean", "foo"]}, r"model\.summary: must be one of last, .*, got 'foo'"),
        ({"model.channels": [[0]]}, r"model\.channels\.0: input should be .* equal to 1, got 0"),
        ({"training.batch": {"low": 0, "high": 9}}, r"batch: .* greater than or equal to 1, got 0"),
        ({"training.warmup": {"low": 0, "high": 1}}, r"warmup: input should be less than 1, got 1"),
        (
            {"training.batch": {"low": 2, "high": 4.5}},
            r"high: expected a whole number, .*, got 4\.5",
        ),
        (
            {"training.batch": {"low": 2, "high": 4, "step": 0.5}},
            r"training\.batch\.step: expected a whole number, .*, got 0\.5",
        ),
    ],
)
def test_a_space_that_cannot_be_searched(make: Spaces, space: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        make(space)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no options; give one such as training\.crop: "),
        ("[1]", r"expected options, such as training\.crop: .*, got \[1\]"),
        (
            None,
            r"cannot read this space \(No such file or directory\); give a YAML file of options",
        ),
    ],
)
def test_a_file_that_is_no_space(
    make_table: Make, tmp_path: Path, text: str | None, message: str
) -> None:
    path = tmp_path / "space.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message):
        spaces.load(path, config(make_table()))


def test_numbers_of_a_range_are_of_the_type_of_the_option(make: Spaces) -> None:
    space = make(
        {
            "training.tolerance": {"low": 0, "high": 2},
            "training.segment_s": {"low": 1, "high": 3, "step": 1},  # impossible with crop=0.75
            "training.batch": {"low": 2.0, "high": 8},
            "model.lstm": {"low": 2, "high": 32, "log": True},
        }
    )
    kinds = {name: one.kind for name, one in space.dimensions.items()}
    assert kinds == {
        "training.tolerance": "real",
        "training.segment_s": "real",
        "training.batch": "whole",
        "model.lstm": "whole",
    }
    drawn = space.suggest(optuna.create_study().ask())
    assert {name: type(value) for name, value in drawn.items()} == {
        name: int if kind == "whole" else float for name, kind in kinds.items()
    }


def test_dimensions_alone_cannot_be_searched(make: Spaces, make_table: Make) -> None:
    table = str(make_table(folder="rated"))
    corpus = {"corpus": {"name": "table", "root": table, "dimensions": ["arousal"]}}
    training = ONE_EPOCH["training"]
    message = r"dimensions_weight=1 learns no emotions, .* give less, such as 0\.9"
    with pytest.raises(UsageError, match=message):
        make(**corpus, training=training | {"dimensions_weight": 1})
    with pytest.raises(UsageError, match=message):
        make({"training.dimensions_weight": [0.5, 1]}, **corpus)
    space = make({"training.dimensions_weight": {"low": 0.1, "high": 0.9}}, **corpus)
    assert space.start() == {"training.dimensions_weight": 0.5}


def test_an_unknown_fold_and_shared_speakers_are_refused(make: Spaces, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--fold: no fold '9'; there are 1; 2; 3"):
        search(make(), tmp_path / "out", Recorder(), fold="9")
    with pytest.raises(FoldError, match=r"--inner-folds 20: without the test speakers of fold 1, "):
        search(make(), tmp_path / "out", Recorder(), inner_folds=20)
    dependent = {"name": "fold_column", "column": "file", "speaker_dependent": True}
    with pytest.raises(FoldError, match="needs folds that share no speakers"):
        search(make(protocol=dependent), tmp_path / "other", Recorder())


@pytest.mark.parametrize(
    ("refused", "error", "corrected"),
    [
        ({"fold": "9"}, UsageError, {"fold": "3"}),
        ({"inner_folds": 9}, FoldError, {"inner_folds": 2}),
        ({"limits": Limits(hours=math.nan)}, UsageError, {"limits": Limits(hours=0)}),
    ],
)
def test_a_refused_search_does_not_block_the_corrected_one(
    make: Spaces,
    tmp_path: Path,
    refused: dict[str, Any],
    error: type[Exception],
    corrected: dict[str, Any],
) -> None:
    out, no_time = tmp_path / "out", {"limits": Limits(hours=0)}
    with pytest.raises(error):
        search(make(), out, Recorder(), **refused)
    assert not out.exists()
    assert search(make(), out, Recorder(), **(no_time | corrected)).trials == ()


def test_a_wrong_root_does_not_block_the_corrected_one(make: Spaces, tmp_path: Path) -> None:
    space, out = make(), tmp_path / "out"
    missing = replace(space, config=config(tmp_path / "none.csv", **ONE_EPOCH))
    with pytest.raises(CorpusError):
        search(missing, out, Recorder())
    assert not out.exists()
    search(space, out, Recorder(), Limits(hours=0))


def test_no_hours_end_at_once_and_resume(make: Spaces, tmp_path: Path) -> None:
    out, nothing = tmp_path / "out", Recorder()
    results = search(make(), out, nothing, Limits(trials=1, hours=0), inner_folds=2)
    assert nothing.runs == []
    with pytest.raises(UsageError, match=r"no trial .* is finished; .* with more --hours"):
        _ = results.best
    assert search(make(), out, Recorder(), Limits(trials=1), inner_folds=2).best.number == 0


def test_a_database_that_is_none_is_named(make: Spaces, tmp_path: Path) -> None:
    out = tmp_path / "out"
    search(make(), out, Recorder(), Limits(trials=1), inner_folds=2)
    assert sqlite3.connect(out / "search.db").execute("select count(*) from trials").fetchone()
    (out / "search.db").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match=r"search\.db: not a usable file of a search"):
        search(make(), out, Recorder(), Limits(trials=2), inner_folds=2)


@pytest.mark.parametrize("content", [b"config: [", b"\xff\xfe", b"[1]"])
def test_a_damaged_description_is_named(make: Spaces, tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out"
    search(make(), out, Recorder(), Limits(hours=0))
    search(make(), out, Recorder(), Limits(hours=0))  # the same search
    (out / "search.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=r"holds another search \(it is damaged\); nothing was"):
        search(make(), out, Recorder(), Limits(hours=0))


def test_a_folder_of_something_else_stays_as_it_is(make: Spaces, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other files \(notes\.txt"):
        search(make(), out, Recorder())
    assert [path.name for path in out.iterdir() if path.name != ".lock"] == ["notes.txt"]
    shutil.rmtree(out)
    with pytest.raises(UsageError, match=r"holds no readable search\.json"):
        search_report.write(out)


def test_without_optuna_the_extra_is_named(
    make: Spaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"pip install 'emotone\[search\]'"):
        search(make(), tmp_path / "out", Recorder())
