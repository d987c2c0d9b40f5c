"""Options of a protocol: how a corpus is divided into folds."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from emotone.options import Options, Seed


class ProtocolOptions(Options):
    """How a corpus is divided.

    Attributes:
        name: what is tested in turn. ``leave_one_speaker_out``: each speaker, as for the 3-D ACRNN
            on EMO-DB and IEMOCAP. ``leave_one_session_out``: all speakers of each session, the
            five-fold protocol of most papers on IEMOCAP, EmoBox among them. ``kfold``: groups of
            speakers, stratified by emotion and sex as far as whole speakers allow.
            ``fold_column``: each value of a column of the corpus, such as EmoBox's folds.
            ``cross_corpus``: all of ``test_corpora``, after training on the other corpora; or
            leave-one-corpus-out if none is named.
        folds: number of groups of ``kfold``.
        column: column that names the folds, for ``fold_column``.
        test_corpora: corpora to test on, for ``cross_corpus``.
        validation: where validation speakers come from. ``speakers``: any training speakers.
            ``session``: all speakers of one other session; with ``leave_one_session_out`` three
            sessions are left for training. ``session_speakers``: ``validation_speakers`` of one
            other session, whose other speakers are training speakers. ``partner``: the other
            speakers of the test speaker's session, with ``leave_one_speaker_out``; the 8/1/1
            division of ten speakers that the 3-D ACRNN and many papers on IEMOCAP use.
        validation_speakers: number of validation speakers, of both sexes if two or more and the
            sexes are known. With 0, no validation set is used and the last epoch is kept.
        speaker_dependent: allow a predefined ``fold_column`` that shares speakers between
            training and test; all results are then labelled speaker-dependent. A tenth of the
            training utterances is the validation set.
        text_independent: test unseen sentences, too: the sentences are divided into
            ``text_groups``, each fold is tested on one group after the other, and what other
            speakers say of this group has no role, so training takes place on the other groups
            alone.
        text_matched: what to compare ``text_independent`` with: the same tests, but training takes
            place on the sentences of the test alone, said by other speakers. With two groups it is
            of about the same size, so the difference is what known sentences are worth.
        text_groups: number of groups of sentences, stratified by emotion, with
            ``text_independent`` and ``text_matched``.
        nested: number of inner folds that each fold is replaced by, or 0 for none: its training
            speakers are divided into so many groups, each of which is tested after training on the
            others, without the fold's own test speakers. For teachers, see
            :mod:`emotone.training.teacher`.
        training_speakers: number of training speakers, at most, drawn for each fold from the
            corpora and sexes in turn; ``None`` for all. A smaller draw is part of a larger one, so
            several values show how UAR grows with the number of voices.
        training_per_class: number of training utterances of each emotion, at most, drawn for each
            fold from all its training speakers; ``None`` for all. Other values show how UAR grows
            with the number of labelled utterances.
        only: names of the folds to run; empty for all.
        seed: seed for the choice of validation speakers, for the groups, ``training_speakers``
            and ``training_per_class``.
    """

    name: Literal[
        "leave_one_speaker_out", "leave_one_session_out", "kfold", "fold_column", "cross_corpus"
    ] = "leave_one_speaker_out"
    folds: int = Field(5, ge=2)
    column: str = "fold"
    test_corpora: tuple[str, ...] = ()
    validation: Literal["speakers", "session", "session_speakers", "partner"] = "speakers"
    validation_speakers: int = Field(1, ge=0)
    speaker_dependent: bool = False
    text_independent: bool = False
    text_matched: bool = False
    text_groups: int = Field(2, ge=2)
    nested: int = Field(0, ge=0)
    training_speakers: int | None = Field(None, ge=1)
    training_per_class: int | None = Field(None, ge=1)
    only: tuple[str, ...] = ()
    seed: Seed = 0

    @property
    def needs_validation(self) -> bool:
        """Whether there is a validation set."""
        return self.validation_speakers > 0 or self.validation in ("session", "partner")

    @property
    def independence(self) -> str:
        """Whether what is tested is new to the model: the speakers, and what they say."""
        return independence(
            speaker_dependent=self.speaker_dependent,
            text_independent=self.text_independent,
            text_matched=self.text_matched,
        )

    @property
    def texts_option(self) -> str:
        """Name of the option that divides the sentences; empty if none does."""
        names = ("text_independent", "text_matched")
        return next((f"protocol.{name}" for name in names if getattr(self, name)), "")

    @field_validator("nested")
    @classmethod
    def _no_fold_alone(cls, value: int) -> int:
        if value == 1:
            raise ValueError("expected 0, or 2 or more inner folds, got 1")
        return value

    @field_validator("only", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """Take the names of folds as numbers, too: YAML reads those of a column as such."""
        if not isinstance(value, (list, tuple)):
            return value
        return [str(name) if type(name) is int else name for name in value]

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.text_independent and self.text_matched:
            raise ValueError(
                "text_independent and text_matched exclude each other: training leaves the "
                "sentences of the test out, or has them alone; leave one of both out"
            )
        return self


def independence(
    *, speaker_dependent: bool, text_independent: bool, text_matched: bool = False
) -> str:
    """Say whether speakers, and what they say, are new to the model in a test.

    >>> independence(speaker_dependent=False, text_independent=True)
    'speaker- and text-independent'
    """
    if text_independent:
        return "speaker- and text-independent"
    speakers = f"speaker-{'dependent' if speaker_dependent else 'independent'}"
    return f"{speakers}, text-matched" if text_matched else speakers
