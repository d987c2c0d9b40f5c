from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotone import corpora
from emotone.corpora import Corpus
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError
from emotone.experiments.audit_selection import AuditOptions, select, utterances
from emotone.inference import model_folder
from emotone.inference.model_folder import ModelConfig


def trained_on(*speakers: str, corpora: tuple[str, ...] = ("table", "other")) -> ModelConfig:
    config = model_folder.read(model_folder.locate())
    training = config.training | {"speakers": {"training": list(speakers)}, "corpora": corpora}
    return config.model_copy(update={"training": training})


@pytest.fixture
def corpus(make_table: Callable[..., Path]) -> Corpus:
    emotions = ("anger", "neutral", "disgust")
    return corpora.read(TableOptions(root=make_table(emotions=emotions)))


def test_emotions_that_the_model_does_not_answer_are_left_out(corpus: Corpus) -> None:
    table, notes = select(corpus, trained_on(), AuditOptions())
    assert set(table["emotion"]) == {"anger", "neutral"}
    assert len(table) == 16
    assert "8 utterances of disgust are left out: the model does not answer it" in notes
    assert not table["known"].any()


def test_a_corpus_without_any_emotion_of_the_model_is_refused(corpus: Corpus) -> None:
    only = Corpus("only", corpus.table[corpus.table["emotion"] == "disgust"])
    message = "the emotions are disgust, but the model answers anger, happiness, neutral, sadness"
    with pytest.raises(CorpusError, match=message):
        select(only, trained_on(), AuditOptions())


@pytest.mark.parametrize(
    "model",
    [trained_on("table/s0", "table/s2", "other/s1"), trained_on("s0", "s2", corpora=("table",))],
)
def test_known_speakers_can_be_left_out(corpus: Corpus, model: ModelConfig) -> None:
    table, _ = select(corpus, model, AuditOptions())
    assert set(table.loc[table["known"], "speaker"]) == {"s0", "s2"}
    table, notes = select(corpus, model, AuditOptions(new_speakers=True))
    assert set(table["speaker"]) == {"s1", "s3"}
    assert "2 speakers are left out: the model was trained on them" in notes


def test_speakers_whose_utterances_were_heard_count_as_known(corpus: Corpus) -> None:
    """As fingerprints tell, whatever the speakers are called."""
    of_s1 = corpus.table.loc[corpus.table["speaker"] == "s1", "utterance"].tolist()[:2]
    table, notes = select(corpus, trained_on("other/s9"), AuditOptions(), of_s1)
    assert set(table.loc[table["known"], "speaker"]) == {"s1"}
    assert any(note.startswith("2 utterances were in the training of the model") for note in notes)
    table, _ = select(corpus, trained_on("other/s9"), AuditOptions(new_speakers=True), of_s1)
    assert "s1" not in set(table["speaker"])


def test_pre_training_is_noted(corpus: Corpus) -> None:
    model = trained_on()
    training = model.training | {"pretrained_on": "ravdess + nemo"}
    _, notes = select(corpus, model.model_copy(update={"training": training}), AuditOptions())
    assert "the model was pre-trained on ravdess + nemo; its speakers count as new" in notes
    _, notes = select(corpus, model, AuditOptions())
    assert not any("pre-trained" in note for note in notes)


def test_several_corpora_have_their_speakers_known(make_table: Callable[..., Path]) -> None:
    second = make_table(folder="b")
    second = second.rename(second.with_name("other.csv"))
    options = [TableOptions(root=make_table(folder="a")), TableOptions(root=second)]
    table, _ = select(corpora.read_all(options), trained_on("other/s1"), AuditOptions())
    assert set(table.loc[table["known"], "speaker"]) == {"other/s1"}


def test_new_speakers_must_be_left(corpus: Corpus) -> None:
    model = trained_on(*(f"table/s{n}" for n in range(4)))
    with pytest.raises(CorpusError, match="trained on all speakers, so --new-speakers leaves none"):
        select(corpus, model, AuditOptions(new_speakers=True))


@pytest.mark.parametrize(
    ("options", "count"), [({"most_per_speaker": 3}, 12), ({"limit": 5}, 5),
                           ({"most_per_speaker": 3, "limit": 50}, 12)],
)  # fmt: skip
def test_utterances_are_drawn_by_the_seed(
    corpus: Corpus, options: dict[str, Any], count: int
) -> None:
    first, notes = select(corpus, trained_on(), AuditOptions(**options))
    again, _ = select(corpus, trained_on(), AuditOptions(**options))
    other, _ = select(corpus, trained_on(), AuditOptions(**options, seed=2))
    names = [list(table["utterance"]) for table in (first, again, other)]
    assert names[0] == names[1] != names[2]
    assert names[0] == sorted(names[0])
    assert len(names[0]) == count
    assert f"{count} of 16 utterances are used, drawn at random" in notes
    if "most_per_speaker" in options:
        assert first["speaker"].value_counts().tolist() == [3] * 4


def test_utterances_keep_their_times(corpus: Corpus) -> None:
    corpus.table.loc[0, ["start", "end"]] = [0.1, 0.25]
    first, second, *_ = utterances(corpus.table)
    assert (first.start, first.end, second.end) == (0.1, 0.25, None)
    assert len(first.read()) == 0.15 * 16_000
