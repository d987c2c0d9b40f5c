import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.errors import UsageError
from emotone.experiments.crossval import crossval
from emotone.models import opensmile_svm as functionals
from emotone.models.opensmile_svm import Functionals, OpensmileSvmOptions
from tests.helpers import Recorder, config

SVM = {"kind": "opensmile-svm", "functionals": "egemaps", "c": [0.01, 1.0]}


def test_functionals_are_those_of_opensmile(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    opensmile = pytest.importorskip("opensmile")
    corpus = corpora.read(TableOptions(root=make_table()))
    found = functionals.functionals(
        corpus, OpensmileSvmOptions.model_validate(SVM), tmp_path / "kept"
    )
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02)
    expected = smile.process_file(corpus.table["file"].iloc[3]).to_numpy()[0]
    assert found.values.shape == (16, 88)
    np.testing.assert_allclose(found.values[3], expected, rtol=1e-3, atol=1e-3)


def test_it_runs_through_the_same_folds_and_report(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("opensmile")
    asked = config(make_table(), model=SVM)
    results = crossval(asked, tmp_path / "out", Recorder())
    assert [run.choices["C"] in (0.01, 1.0) for run in results.runs] == [True, True]
    assert results.system.parameters == 2 * 89
    assert results.system.multiply_adds_per_s is None


@pytest.mark.parametrize("validates", [range(60, 90), ()])
def test_c_is_chosen_without_test_utterances(validates: Sequence[int]) -> None:
    rng = np.random.default_rng(0)
    targets = np.tile([0, 1], 60)
    values = rng.normal(size=(120, 5)).astype(np.float32)
    values[:, 0] += 4 * targets
    speakers = np.repeat(np.arange(12), 10)
    data = Functionals(values, targets, speakers, ["anger", "neutral"])
    options = OpensmileSvmOptions(c=(1e-9, 1.0))
    training, test = range(60), range(90, 120)
    probabilities, record = functionals.train_and_test(data, training, validates, test, options)
    assert record["C"] in options.c
    assert (probabilities.argmax(axis=1) == targets[90:]).mean() > 0.9
    # test utterances take no part in the choice
    spoilt = Functionals(values.copy(), targets, speakers, data.labels)
    spoilt.values[90:] = 1e6
    assert functionals.train_and_test(
        spoilt, training, validates, test, options
    )[1]["C"] == record["C"]  # fmt: skip


def test_without_opensmile_it_says_what_to_install(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    corpus = corpora.read(TableOptions(root=make_table()))
    with pytest.raises(UsageError, match=r"pip install 'emotone\[opensmile\]'"):
        functionals.functionals(corpus, OpensmileSvmOptions(), tmp_path)
