"""A baseline of the field: openSMILE functionals of whole utterances and a linear SVM.

The functionals are ComParE 2016 (Schuller et al., Interspeech 2016; Weninger et al., Frontiers in
Psychology, 2013) or eGeMAPSv02 (Eyben et al., IEEE Transactions on Affective Computing 7 (2),
2016). openSMILE is licensed for research: ``pip install 'emotone[opensmile]'``.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from emotone.audio import SAMPLE_RATE
from emotone.corpora import Corpus
from emotone.errors import UsageError
from emotone.evaluation import metrics
from emotone.features.utterances import cache_key, map_utterances
from emotone.files import replacing
from emotone.options import Options

FEATURE_SETS = {"compare": "ComParE_2016", "egemaps": "eGeMAPSv02"}
MOST_ITERATIONS = 20_000
INNER_FOLDS = 5  # groups of training speakers that choose C where nobody validates


class OpensmileSvmOptions(Options):
    """A linear SVM, one class against the rest, on openSMILE functionals.

    Attributes:
        kind: says that the model is this one.
        functionals: ``compare`` for ComParE 2016 (6373), ``egemaps`` for eGeMAPSv02 (88).
        c: values of the SVM's C to choose from, see :func:`train_and_test`.
        class_balance: ``weights`` by inverse class frequency, or ``none``.
    """

    kind: Literal["opensmile-svm"] = "opensmile-svm"
    functionals: Literal["compare", "egemaps"] = "compare"
    c: tuple[Annotated[float, Field(gt=0)], ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    class_balance: Literal["none", "weights"] = "weights"


@dataclass(frozen=True)
class Functionals:
    """Functionals of a whole corpus: ``values`` of shape ``(utterances, functionals)``."""

    values: NDArray[np.float32]
    targets: NDArray[np.int64]
    speakers: NDArray[Any]
    labels: Sequence[str]


def functionals(
    corpus: Corpus,
    options: OpensmileSvmOptions,
    folder: Path,
    *,
    threads: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> Functionals:
    """Compute the functionals of a corpus, or find them in ``folder`` from a run before.

    Raises:
        UsageError: if openSMILE is not installed.
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
        StorageError: if the folder cannot be written.
    """
    path = folder / f"{cache_key(corpus, options.functionals)}.npy"
    if not path.is_file():
        try:
            import opensmile
        except ModuleNotFoundError as error:
            raise UsageError(
                "model.kind=opensmile-svm needs openSMILE, which is licensed for research: "
                "pip install 'emotone[opensmile]'"
            ) from error

        def compute(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
            smile = opensmile.Smile(
                opensmile.FeatureSet[FEATURE_SETS[options.functionals]],
                opensmile.FeatureLevel.Functionals,
            )
            row = smile.process_signal(waveform, SAMPLE_RATE).to_numpy(np.float32)[0]
            return np.asarray(np.nan_to_num(row), np.float32)

        with ThreadPoolExecutor(threads) as pool:
            rows = map_utterances(corpus, compute, pool, advance)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack(rows))
    targets = np.array([corpus.labels.index(name) for name in corpus.table["emotion"]])
    return Functionals(np.load(path), targets, corpus.table["speaker"].to_numpy(), corpus.labels)


def train_and_test(
    data: Functionals,
    training: Sequence[int],
    validation: Sequence[int],
    test: Sequence[int],
    options: OpensmileSvmOptions,
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Choose C without the test utterances, train, and classify them.

    C is the one with the highest UAR on the validation utterances or, where there are none, over
    groups of training speakers that are left out in turn. Functionals are standardised with the
    training utterances. Nothing is random.

    Returns:
        The softmax of the SVM's margins, shape ``(test, labels)``: a ranking, not probabilities;
        and what was chosen.
    """
    learnt = np.array(training)
    if len(validation):
        divisions = [(learnt, np.array(validation))]
    else:
        from sklearn.model_selection import GroupKFold

        speakers = data.speakers[learnt]
        groups = GroupKFold(min(INNER_FOLDS, len(set(speakers))))
        divisions = [
            (learnt[one], learnt[other]) for one, other in groups.split(learnt, groups=speakers)
        ]
    names = np.array(data.labels)
    truth: list[str] = []
    found: dict[float, list[str]] = {c: [] for c in options.c}
    for one, other in divisions:
        prepare = _preparation(data.values[one])
        values, others = prepare.transform(data.values[one]), prepare.transform(data.values[other])
        truth += names[data.targets[other]].tolist()
        for c in options.c:
            svm = _fitted(values, data.targets[one], c, options)
            found[c] += names[svm.predict(others)].tolist()
    uars = {c: metrics.uar(truth, found[c]) for c in options.c}
    c = max(uars, key=lambda c: uars[c])
    prepare = _preparation(data.values[learnt])
    svm = _fitted(prepare.transform(data.values[learnt]), data.targets[learnt], c, options)
    classes = svm.classes_.tolist()
    margins = np.asarray(svm.decision_function(prepare.transform(data.values[list(test)])))
    if margins.ndim == 1:  # two classes
        margins = np.stack([-margins, margins], axis=1)
    scores = np.full((len(test), len(data.labels)), -np.inf)
    scores[:, classes] = margins
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    record = {
        "validation_UAR": uars[c],
        "C": c,
        "parameters": len(classes) * (data.values.shape[1] + 1),
        "multiply_adds_per_s": None,
    }
    return np.asarray(shares, np.float32), record


def _preparation(values: NDArray[np.float32]) -> Any:
    """Standardise; where there are fewer utterances than functionals, rotate into their space.

    A linear SVM does not mind the rotation, and has fewer dimensions to go through for every C.
    """
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    utterances, functionals = values.shape
    steps = [StandardScaler(), *([PCA()] if utterances < functionals else [])]
    return make_pipeline(*steps).fit(values)


def _fitted(
    values: NDArray[np.float32], targets: NDArray[np.int64], c: float, options: OpensmileSvmOptions
) -> Any:
    from sklearn.svm import LinearSVC

    utterances, dimensions = values.shape
    svm = LinearSVC(
        C=c,
        dual=utterances <= dimensions,  # by far the faster way then
        class_weight="balanced" if options.class_balance == "weights" else None,
        max_iter=MOST_ITERATIONS,
        random_state=0,
    )
    return svm.fit(values, targets)
