"""Dimensions of emotion: which columns, their scale, missing and bad values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from emotone import corpora
from emotone.corpora import synthetic
from emotone.corpora.iemocap import IemocapOptions
from emotone.corpora.synthetic import SyntheticOptions
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError
from tests.helpers import full_iemocap

MakeTable = Callable[..., Path]
# of the audio before there were dimensions: samples and RMS
LENGTHS = [35334, 22075, 27893, 40179]
LEVELS = [0.17106929, 0.18537189, 0.06873483, 0.02784306]


def rated(table: Path, **columns: list[Any]) -> Path:
    frame = pd.read_csv(table)
    frame.assign(**columns).to_csv(table, index=False)
    return table


def test_a_column_of_a_table_is_mapped_to_0_to_1(make_table: MakeTable) -> None:
    table = rated(make_table(takes=1), arousal=[1, 2, 3, 4, 5, "", 1, 3])
    corpus = corpora.read(TableOptions(root=table, dimensions=("arousal",), scale=(1, 5)))
    assert corpus.dimensions == ("arousal",)
    np.testing.assert_allclose(
        corpus.table["arousal"], [0, 0.25, 0.5, 0.75, 1, np.nan, 0, 0.5], atol=1e-12
    )
    assert "1 utterance has no arousal" in corpus.problems


def test_without_dimensions_the_columns_stay_as_they_are(make_table: MakeTable) -> None:
    table = rated(make_table(takes=1), arousal=[1, 2, 3, 4, 5, 6, 7, 8])
    corpus = corpora.read(TableOptions(root=table))
    assert corpus.dimensions == ()
    assert corpus.table["arousal"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5] * 7 + [1.5], "valence of s3_neutral_0 is 1.5, outside the scale 0 to 1; correct it"),
        ([0.5] * 7 + ["high"], "valence of s3_neutral_0 is 'high'; expected a number, or nothing"),
        ([0.5] * 7 + ["inf"], "valence of s3_neutral_0 is 'inf'; expected a number"),
        ([0.5] * 7 + [""], "same valence, for which the concordance correlation is undefined"),
        ([""] * 8, "same valence, for which the concordance correlation is undefined"),
    ],
)
def test_bad_values_are_named(make_table: MakeTable, values: list[Any], message: str) -> None:
    table = rated(make_table(takes=1), valence=values)
    with pytest.raises(CorpusError, match=message):
        corpora.read(TableOptions(root=table, dimensions=("valence",)))


def test_an_unknown_dimension_is_named(make_table: MakeTable) -> None:
    table = rated(make_table(takes=1), arousal=[0, 1] * 4)
    with pytest.raises(CorpusError, match=r"no column for; did you mean 'arousal'\?; its further"):
        corpora.read(TableOptions(root=table, dimensions=("arousl",)))
    with pytest.raises(CorpusError, match="'start', which the corpus has no column for"):
        corpora.read(TableOptions(root=table, dimensions=("start",)))
    with pytest.raises(ValidationError, match="dimensions must differ"):
        TableOptions(root=table, dimensions=("arousal", "arousal"))
    with pytest.raises(ValidationError, match="lowest and the highest"):
        TableOptions(root=table, dimensions=("arousal",), scale=(5, 1))


def test_iemocap_has_a_scale_of_its_own(tmp_path: Path) -> None:
    full_iemocap(tmp_path, smaller=200)
    raw = corpora.read(IemocapOptions(root=tmp_path)).table
    names = ("arousal", "valence", "dominance")
    corpus = corpora.read(IemocapOptions(root=tmp_path, dimensions=names))
    assert corpus.dimensions == names
    for name in names:
        np.testing.assert_allclose(corpus.table[name], (raw[name] - 1) / 4)
    with pytest.raises(CorpusError, match="outside the scale 2 to 3"):
        corpora.read(IemocapOptions(root=tmp_path, dimensions=names, scale=(2, 3)))


def test_several_corpora_need_not_have_the_same_dimensions(
    make_table: MakeTable, tmp_path: Path
) -> None:
    table = rated(make_table(takes=1), dominance=[0, 1] * 4, arousal=[9] * 8)
    corpus = corpora.read_all(
        [
            SyntheticOptions(
                root=tmp_path / "s", speakers=2, utterances=4, dimensions=("arousal", "valence")
            ),
            TableOptions(root=table, dimensions=("dominance",)),
        ]
    )
    assert corpus.dimensions == ("arousal", "valence", "dominance")
    known = corpus.table.groupby("corpus")[list(corpus.dimensions)].count()
    assert known.index.tolist() == ["synthetic", "table"]
    assert known.to_numpy().tolist() == [[8, 8, 0], [0, 0, 8]]  # the table's arousal is not used


def test_synthetic_dimensions_follow_from_the_delivery() -> None:
    found = pd.DataFrame(
        [
            {"emotion": emotion} | synthetic.dimensions(speaker, emotion, take)
            for speaker in range(8)
            for emotion in synthetic.EMOTIONS
            for take in range(5)
        ]
    )
    by_emotion = found.groupby("emotion")[["arousal", "valence"]]
    order = by_emotion.mean()
    assert order.sort_values("arousal").index.tolist() == [
        "sadness", "neutral", "happiness", "anger",
    ]  # fmt: skip
    assert order.sort_values("valence").index.tolist() == [
        "anger", "sadness", "neutral", "happiness",
    ]  # fmt: skip
    assert by_emotion.std().to_numpy().mean() > 0.04  # more than the classes say
    assert found[["arousal", "valence"]].to_numpy().min() >= 0
    assert found[["arousal", "valence"]].to_numpy().max() <= 1


def test_the_synthetic_audio_is_that_of_its_generation() -> None:
    spoken = [synthetic.utterance(1, emotion, 2, seed=3) for emotion in synthetic.EMOTIONS]
    assert synthetic.GENERATION == 1
    assert [len(one) for one in spoken] == LENGTHS
    levels = [float(np.sqrt(np.mean(one.astype(np.float64) ** 2))) for one in spoken]
    np.testing.assert_allclose(levels, LEVELS, rtol=1e-5)
