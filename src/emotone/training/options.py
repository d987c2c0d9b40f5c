"""Options of training."""

from typing import Literal

from pydantic import Field, model_validator

from emotone.options import Options
from emotone.training.augmentation import AugmentOptions
from emotone.training.disturbances import DisturbanceOptions
from emotone.training.teacher import TeacherOptions

Balancing = Literal["none", "weights", "sampling"]
Precision = Literal["32-true", "bf16-mixed"]


class TrainingOptions(Options):
    """How a network is trained.

    Attributes:
        epochs: passes over the training set, at most.
        patience: early stopping: training ends after this many epochs without a better validation
            UAR.
        tolerance: the last epoch is kept whose validation UAR is within this many standard errors
            of the best one; 0 keeps the best epoch. With few validation speakers the UAR of an
            epoch is so uncertain that the best one is mostly the luckiest.
        batch: utterances per step.
        learning_rate: peak learning rate of AdamW (Loshchilov & Hutter, ICLR 2019).
        schedule: ``cosine`` decays to zero after the warm-up, ``constant`` does not.
        warmup: share of the steps over which the rate rises from zero.
        weight_decay: weight decay of AdamW.
        labels: those over which the loss of an utterance runs: ``all``, or those that its
            ``corpus`` has. A corpus without an emotion then does not teach that it never occurs.
            Probabilities are those of all labels, in validation too.
        class_balance: ``weights`` in the loss or ``sampling`` by inverse class frequency, or
            ``none``; within each corpus with ``labels="corpus"`` or if corpora are balanced.
        corpus_balance: the same for corpora.
        speaker_balance: the same for speakers, of each class and corpus if these are balanced too;
            how balances combine: :func:`emotone.training.balancing.balance`.
        label_smoothing: share of each label that is spread evenly over ``labels``.
        dimensions_weight: with ``corpus.dimensions``, weight of their loss, 1 minus the mean
            concordance correlation of the batch; the cross-entropy of the classes has the rest.
            At 1 the dimensions are learnt instead of the classes.
        averaging: share of all steps over which weights are averaged, with exponential decay and
            bias correction (Polyak & Juditsky 1992; Kingma & Ba, ICLR 2015, section 7.2); the
            average is what is evaluated and kept; 0 for none.
        segment_s: cut utterances into segments of this length; ``None`` for whole utterances,
            padded and masked.
        segment_rest: last segment of an utterance: the rest ``padded`` with zeros, or
            ``overlapping``, a whole segment that ends with the utterance. An utterance
            shorter than a segment is always padded.
        segment_answer: answer for an utterance in segments: the ``mean`` of their probabilities, or
            the ``max`` of each label's, divided by their sum.
        most_per_speaker: maximum number of examples of a speaker per epoch, drawn in each epoch;
            ``None`` for all. It keeps speakers with many utterances from dominating.
        batch_norm: statistics of batch normalisation outside training: ``running`` statistics of
            the last steps, or ``population`` statistics of the training set, estimated with the
            final weights (Ioffe & Szegedy 2015, algorithm 2). If weights change fast until the
            end, running statistics lag behind.
        crop: share of each utterance that is used per epoch in training, at a random place; 1 for
            all of it.
        precision: precision of training; evaluation is always in float32. ``bf16-mixed`` becomes
            ``32-true`` where it is slow, see :func:`emotone.training.hardware.usable_precision`.
        augment: random changes of the spectrograms of training utterances.
        disturb: disturbed versions of training utterances, computed ahead from waveforms.
        teacher: soft labels from the predictions of another model, or the results folder alone.
    """

    epochs: int = Field(120, ge=1)
    patience: int = Field(120, ge=1)
    tolerance: float = Field(2.0, ge=0)
    batch: int = Field(16, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    schedule: Literal["cosine", "constant"] = "constant"
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    labels: Literal["all", "corpus"] = "all"
    class_balance: Balancing = "weights"
    corpus_balance: Balancing = "none"
    speaker_balance: Balancing = "none"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    dimensions_weight: float = Field(0.5, gt=0, le=1)
    averaging: float = Field(0.3, ge=0, lt=1)
    segment_s: float | None = Field(None, gt=0.1)
    segment_rest: Literal["padded", "overlapping"] = "padded"
    segment_answer: Literal["mean", "max"] = "mean"
    most_per_speaker: int | None = Field(None, ge=1)
    batch_norm: Literal["running", "population"] = "running"
    crop: float = Field(0.75, gt=0, le=1)
    precision: Precision = "bf16-mixed"
    augment: AugmentOptions = AugmentOptions()
    disturb: DisturbanceOptions = DisturbanceOptions()
    teacher: TeacherOptions | None = None

    @property
    def samples(self) -> bool:
        """Whether any balance is reached by sampling."""
        return "sampling" in (self.class_balance, self.corpus_balance, self.speaker_balance)

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> "TrainingOptions":
        if self.segment_s is not None and self.crop < 1:
            raise ValueError("segment_s cuts utterances already; set training.crop=1 with it")
        whole = TrainingOptions.model_fields
        for name in ("segment_rest", "segment_answer"):
            if self.segment_s is None and getattr(self, name) != whole[name].default:
                raise ValueError(f"{name} applies to segments; set training.segment_s with it")
        return self

    @model_validator(mode="after")
    def _one_way_to_balance(self) -> "TrainingOptions":
        for name in ("corpus_balance", "speaker_balance"):
            if self.most_per_speaker is not None and getattr(self, name) == "weights":
                raise ValueError(
                    "most_per_speaker reduces what weights would reduce again; set "
                    f"training.{name}=sampling with it, which draws from what is left"
                )
        return self
