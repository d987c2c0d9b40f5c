"""A common baseline: openSMILE functionals of whole utterances and a linear SVM.

The functionals are ComParE 2016 (Schuller et al., Interspeech 2016; Weninger et al., Frontiers in
Psychology, 2013) or eGeMAPSv02 (Eyben et al., IEEE Transactions on Affective Computing 7 (2),
2016). openSMILE is licensed for research: ``pip install 'emotone[opensmile]'``.
"""

import tempfile
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.errors import UsageError
from emotone.evaluation import metrics
from emotone.models.kinds import EstimatorKind, Fitted, Vectors

FEATURE_SETS = {"compare": "ComParE_2016", "egemaps": "eGeMAPSv02"}
TITLES = {"compare": "ComParE 2016 + SVM", "egemaps": "eGeMAPSv02 + SVM"}
MAX_ITERATIONS = 20_000
INNER_FOLDS = 5  # groups of training speakers that choose C if there are no validation speakers


class OpensmileSvmOptions(EstimatorKind):
    """A linear SVM, one class against the rest, on openSMILE functionals.

    Attributes:
        kind: name of this kind of model.
        functionals: ``compare`` for ComParE 2016 (6373), ``egemaps`` for eGeMAPSv02 (88).
        c: values of the SVM's C to choose from, see :meth:`fit`.
        class_balance: ``weights`` by inverse class frequency, or ``none``.
    """

    is_deterministic: ClassVar[bool] = True

    kind: Literal["opensmile-svm"] = "opensmile-svm"
    functionals: Literal["compare", "egemaps"] = "compare"
    c: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0), min_length=1
    )
    class_balance: Literal["none", "weights"] = "weights"

    @property
    def title(self) -> str:
        """Name for tables and model cards."""
        return TITLES[self.functionals]

    @property
    def inputs(self) -> str:
        """Key of the options that the vectors depend on."""
        return self.functionals

    def extract(self, waveform: Waveform) -> NDArray[np.float32]:
        """Compute the functionals of an utterance.

        Raises:
            UsageError: if openSMILE is not installed.
        """
        try:
            import opensmile
        except ModuleNotFoundError as error:
            raise UsageError(
                "model.kind=opensmile-svm needs openSMILE, which is licensed for research: "
                "pip install 'emotone[opensmile]'"
            ) from error
        smile = opensmile.Smile(
            opensmile.FeatureSet[FEATURE_SETS[self.functionals]],
            opensmile.FeatureLevel.Functionals,
        )
        row = smile.process_signal(waveform, SAMPLE_RATE).to_numpy(np.float32)[0]
        return np.asarray(np.nan_to_num(row), np.float32)

    def fit(self, data: Vectors, training: Sequence[int], validation: Sequence[int]) -> Fitted:
        """Choose C by the highest UAR, then fit to the training utterances.

        The UAR is that of the validation utterances or, if there are none, the mean over groups of
        training speakers that are left out in turn. Functionals are standardised with the
        utterances that the SVM is fitted to. Probabilities are the softmax of the SVM's margins:
        a ranking, not calibrated.
        """
        from sklearn.base import clone
        from sklearn.metrics import make_scorer
        from sklearn.model_selection import GridSearchCV, GroupKFold, PredefinedSplit

        seen = [*training, *validation]
        if len(validation):
            speakers = None
            division = PredefinedSplit(np.repeat([-1, 0], [len(training), len(validation)]))
        else:
            speakers = data.speakers[seen]
            division = GroupKFold(min(INNER_FOLDS, len(set(speakers))))
        with tempfile.TemporaryDirectory() as cache:  # of what does not depend on C
            pipeline = self._pipeline(len(training), data.values.shape[1], cache)
            # not "recall_macro", in which a class without validation utterances has the recall 0
            search = GridSearchCV(
                pipeline, {"svm__C": self.c}, scoring=make_scorer(metrics.uar), cv=division,
                refit=False,
            )  # fmt: skip
            search.fit(data.values[seen], data.targets[seen], groups=speakers)
            best = clone(pipeline).set_params(**search.best_params_)
            best.fit(data.values[list(training)], data.targets[list(training)])
        return Fitted(
            probabilities=lambda utterances: _probabilities(
                best, data.values[list(utterances)], len(data.labels)
            ),
            parameters=len(best.classes_) * (data.values.shape[1] + 1),
            validation_uar=float(search.best_score_),
            record={"C": search.best_params_["svm__C"]},
        )

    def _pipeline(self, utterances: int, functionals: int, cache: str) -> Any:
        """Scaler, rotation into the space of the utterances if they are fewer, and SVM.

        The rotation does not change a linear SVM, but leaves fewer dimensions for every C.
        """
        from sklearn.decomposition import PCA
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

        are_fewer = utterances < functionals
        svm = LinearSVC(
            dual=utterances <= functionals,  # much faster in that case
            class_weight="balanced" if self.class_balance == "weights" else None,
            max_iter=MAX_ITERATIONS,
            random_state=0,
        )
        rotation = PCA() if are_fewer else "passthrough"
        steps = [("scaler", StandardScaler()), ("rotation", rotation), ("svm", svm)]
        return Pipeline(steps, memory=cache)


def _probabilities(model: Any, values: NDArray[np.float32], labels: int) -> NDArray[np.float32]:
    """Softmax of the margins; a class without training utterances has the probability 0."""
    from scipy.special import softmax

    margins = np.asarray(model.decision_function(values))
    if margins.ndim == 1:  # two classes
        margins = np.stack([-margins, margins], axis=1)
    scores = np.full((len(values), labels), -np.inf)
    scores[:, model.classes_] = margins
    return np.asarray(softmax(scores, axis=1), np.float32)
