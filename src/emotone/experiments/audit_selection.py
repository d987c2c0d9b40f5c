"""Which utterances of a corpus an audit uses."""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from emotone.corpora import Corpus
from emotone.errors import CorpusError
from emotone.experiments.audit_material import Utterance
from emotone.inference.model_folder import ModelConfig
from emotone.options import Options, Seed
from emotone.text import agree, plural


class AuditOptions(Options):
    """What an audit covers.

    Attributes:
        most_per_speaker: utterances of each speaker, drawn at random; ``None`` for all.
        limit: utterances altogether, drawn at random; ``None`` for all.
        new_speakers: leave out speakers that the model was trained on.
        noise: folder of recorded noise.
        rooms: folder of impulse responses.
        test_half: of the files in these folders use every second one, which training leaves out.
        seed: of all random draws.
        jobs: number of processes; does not change the results.
    """

    most_per_speaker: int | None = Field(None, ge=1)
    limit: int | None = Field(None, ge=1)
    new_speakers: bool = False
    noise: Path | None = None
    rooms: Path | None = None
    test_half: bool = False
    seed: Seed = 0
    jobs: int = Field(1, ge=1)


def select(
    corpus: Corpus, model: ModelConfig, options: AuditOptions, heard: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Select the utterances to audit.

    Args:
        corpus: corpus of the audit.
        model: configuration of the model.
        options: what the audit covers.
        heard: names of utterances that the fingerprints of the model have, training and validation
            ones, whatever their speakers are called. Validation speakers count as new.

    Returns:
        Rows of the corpus with a column ``known``: whether the model was trained on the speaker;
        and a sentence about what is left out.

    Raises:
        CorpusError: if nothing is left.
    """
    table, notes = corpus.table, list(corpus.problems)
    answerable = table["emotion"].isin(model.labels)
    for emotion, count in table.loc[~answerable, "emotion"].value_counts().sort_index().items():
        notes.append(
            f"{plural(count, 'utterance')} of {emotion} {agree(count, 'are')} left out: the model "
            "does not answer it"
        )
    table = table[answerable]
    if table.empty:
        raise CorpusError(
            f"{corpus.name}: the emotions are {', '.join(corpus.labels)}, but the model answers "
            f"{', '.join(model.labels)}; rename some with map={{…}}"
        )
    table = table.assign(known=had_role(table, model, "training"))
    validated = had_role(table, model, "validation")
    if validated.any():
        chose = table.loc[validated, "speaker"].nunique()
        notes.append(
            f"{plural(chose, 'speaker')} chose the epoch of the model, as validation speakers; "
            "for others, figures may be slightly lower"
        )
    same = table["utterance"].isin(list(heard)) & ~validated
    if not table.loc[same, "known"].all():
        notes.append(
            f"{plural(int(same.sum()), 'utterance')} {agree(int(same.sum()), 'were')} in the "
            "training of the model, some under other names of speakers; these speakers count as "
            "known"
        )
    table["known"] |= table["speaker"].isin(table.loc[same, "speaker"])
    if pretrained_on := model.training.get("pretrained_on"):
        notes.append(f"the model was pre-trained on {pretrained_on}; its speakers count as new")
    if options.new_speakers:
        if table["known"].all():
            raise CorpusError(
                f"{corpus.name}: the model was trained on all speakers, so --new-speakers leaves "
                "none; train one with protocol.validation_speakers, or give another corpus"
            )
        known = table.loc[table["known"], "speaker"].nunique()
        which = f"{plural(known, 'speaker')} {agree(known, 'are')}"
        notes.append(f"{which} left out: the model was trained on them")
        table = table[~table["known"]]
    chosen = _drawn(table, options)
    if len(chosen) < len(table):
        notes.append(f"{len(chosen)} of {len(table)} utterances are used, drawn at random")
    return chosen, notes


def utterances(table: pd.DataFrame) -> tuple[Utterance, ...]:
    """The rows of a corpus, as a process reads them."""
    columns = ["utterance", "file", "start", "end", "speaker"]
    return tuple(
        Utterance(name, str(Path(file).absolute()), start, None if np.isnan(end) else end, speaker)
        for name, file, start, end, speaker in table[columns].itertuples(index=False)
    )


def _drawn(table: pd.DataFrame, options: AuditOptions) -> pd.DataFrame:
    """Draw utterances; the order of the table stays."""
    drawn = table.sample(frac=1, random_state=options.seed)
    if options.most_per_speaker is not None:
        drawn = drawn.groupby("speaker", sort=False).head(options.most_per_speaker)
    if options.limit is not None:
        drawn = drawn.head(options.limit)
    return drawn.sort_index().reset_index(drop=True)


def had_role(table: pd.DataFrame, model: ModelConfig, role: str) -> pd.Series:
    """Whether the speaker of each row had a role when the model was trained."""
    named = set(_named(model.training.get("speakers", {}).get(role, []), model))
    prefix = table["corpus"] + "/"
    bare = [
        speaker.removeprefix(start) for speaker, start in zip(table["speaker"], prefix, strict=True)
    ]
    return (prefix + pd.Series(bare, index=table.index, dtype=str)).isin(named)


def _named(speakers: Iterable[str], model: ModelConfig) -> list[str]:
    """Names of speakers with that of their corpus, which a model of one corpus leaves out."""
    corpora = model.training.get("corpora", [])
    return [f"{corpora[0]}/{name}" if len(corpora) == 1 else name for name in speakers]
