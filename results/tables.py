"""Write the generated parts of README and documentation, from the results here and the readers.

Also writes ``docs/corpora.md``. A part of a page is the text between ``<!-- name: … -->`` and
``<!-- end -->``; ``@part("name")`` before a function here makes it write that part.

    python results/tables.py

`make benchmark` makes the results; parts whose results are missing say so, or use those of before.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

import audmetric
import numpy as np
import yaml

from emotone.corpora.catalogue import corpora_page
from emotone.corpora.registry import readers
from emotone.evaluation import scoring
from emotone.evaluation.label_selection import results_among
from emotone.evaluation.metrics import Comparison
from emotone.evaluation.neutral import with_recordings
from emotone.evaluation.results import (
    AblationResults,
    AblationRow,
    DisturbedRates,
    Rate,
    Results,
    System,
)
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.config import ExperimentConfig
from emotone.options import Options
from emotone.reporting.rendering import count, difference, interval, p_value, percent, rate

HERE = Path(__file__).parent
ROOT = HERE.parent
EXPLANATION = ROOT / "docs" / "explanation"
PAGES = (
    ROOT / "README.md",
    EXPLANATION / "ingredients.md",
    EXPLANATION / "results.md",
    ROOT / "docs" / "how-to" / "adapt.md",
    ROOT / "docs" / "how-to" / "text-independent.md",
)
CORPORA_PAGE = ROOT / "docs" / "corpora.md"
BENCHMARKS = ROOT / "benchmarks" / "RESULTS.md"
CORPORA = {"emodb": "EMO-DB", "ravdess": "RAVDESS"}
BESIDE = {"nemo": "nEMO", "savee": "SAVEE", "emovo": "EMOVO, which was used for choices"}
NEUTRAL_RECORDINGS = (0, 1, 3, 5)
FEW_LABELS = ("savee", "emovo")
INGREDIENTS = ("multi-kernel", "summary", "features", "training")
FIELD = ("ComParE 2016 + SVM", "3-D ACRNN")
# what the table of the README waits for
LEADING = ("default, from scratch, 120 epochs", "default, pre-trained", "ComParE 2016 + SVM")
TESTED_ON = {"emodb": "new speakers", "ravdess": "EmoBox's folds", "nemo": "new speakers"}
BEFORE = {"emodb": "EMO-DB cut to 2.0 s"}  # what results of before `make benchmark` are of
PUBLISHED = {"ravdess": "65.4 HuBERT-base, 72.0 WavLM-large"}  # EmoBox, Ma et al. 2024
SIGNIFICANT = 0.05
ALL = "all together"
MARKED = re.compile(r"(<!-- ([\w-]+): [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)

PARTS: dict[str, Callable[[], str]] = {}


def part(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a function that writes a part of a page."""

    def register(write: Callable[[], str]) -> Callable[[], str]:
        PARTS[name] = write
        return write

    return register


def rendered(page: Path) -> str:
    """Return the text of a page with each marked part replaced; links are relative to the page."""
    up = "../" * len(page.relative_to(ROOT).parents[:-1])

    def replace(found: re.Match[str]) -> str:
        return found[1] + PARTS[found[2]]().replace("](results/", f"]({up}results/") + found[3]

    return MARKED.sub(replace, page.read_text(encoding="utf-8"))


@part("summary")
def summary() -> str:
    """The one table of the README: our systems beside those of the field."""
    lines: list[list[str]] = []
    for corpus, tested in TESTED_ON.items():
        place = _place(corpus, *LEADING)
        if place.is_ablation:
            lines += _beside_the_field(corpus, place, f"{_title(corpus, place)}, {tested}")
    unseen, theirs = _base("cross-corpus"), _base("svm")
    report = unseen.path.relative_to(ROOT) / "report.md"
    svm = theirs.results().by_corpus if theirs.path.is_dir() else {}
    for corpus, scores in unseen.results().by_corpus.items():
        name = readers()[corpus].info.title.partition(",")[0]
        beside = _uar(svm[corpus].uar) if corpus in svm else "–"
        lines.append([f"[unseen: {name}]({report})", _uar(scores.uar), beside, "–", "–"])
    return _table(["tested on", "emotone", *FIELD, "published"], lines)


def _beside_the_field(corpus: str, place: ResultsFolder, name: str) -> Iterator[list[str]]:
    """A line for each of our systems on a corpus that is finished."""
    rows = place.ablation_results().rows
    found = {row.variant: _uar(row.rates.uar) for row in rows if row.rates is not None}
    field = [found.get(other, "–") for other in FIELD]
    for row in [row for row in rows if row.variant in found and _is_ours(row)]:
        report = place.variant(row.folder).path.relative_to(ROOT) / "report.md"
        system = name if row.is_default else f"{name}, {row.variant.removeprefix('default, ')}"
        yield [f"[{system}]({report})", found[row.variant], *field, PUBLISHED.get(corpus, "–")]


def _is_ours(row: AblationRow) -> bool:
    """Whether a row is the default, or one of its two kinds of start."""
    return row.is_default or row.variant.startswith("default, ")


@part("unknown-corpora")
def unknown_corpora() -> str:
    """UAR on each corpus after training on the others."""
    names = ("recipe-0.1", "seven-emotions", "without-pitch", "cross-corpus")
    folders = [_base(name) for name in names]
    labels = folders[-1].results().setting.labels
    results = [results_among(folder, labels) for folder in folders]
    disturbed = results[-1].disturbed
    assert disturbed is not None
    systems: list[Results | DisturbedRates] = [*results, disturbed]
    lines = [
        [name, *(_uar(system.by_corpus[name].uar) for system in systems)]
        for name in disturbed.by_corpus
    ]
    rates = (*(result.scores.uar for result in results), disturbed.uar)
    lines.append(["mean over corpora", *(percent(rate.fold_mean) for rate in rates)])
    titles = [
        "recipe of 0.1", "seven emotions", "without pitch", "emotone-base",
        "emotone-base, disturbed",
    ]  # fmt: skip
    return _table(["left out", *titles], lines)


@part("recalls")
def recalls() -> str:
    """Recall of each emotion on each corpus after training on the others."""
    folder = _base("cross-corpus")
    labels, predictions = folder.results().setting.labels, folder.predictions()
    lines = []
    for name, own in predictions.groupby("fold"):
        shares = audmetric.recall_per_class(own["truth"], own["prediction"])
        there = set(own["truth"])
        cells = (percent(shares[label]) if label in there else "–" for label in labels)
        lines.append([str(name), *cells])
    return _table(["left out", *labels], lines)


@part("unknown-corpora-svm")
def unknown_corpora_svm() -> str:
    """The same by ComParE 2016 and an SVM, and how much emotone-base is above it."""
    theirs = _base("svm")
    beside = dict(_beside_svm(_base("cross-corpus"), theirs))
    del beside[ALL]
    lines = [[name, *cells] for name, cells in beside.items()]
    lines.append(["mean over corpora", percent(theirs.results().scores.uar.fold_mean), "", ""])
    return _table(["left out", "ComParE 2016 + SVM", "emotone-base minus this", "p"], lines)


@part("new-speakers")
def new_speakers() -> str:
    """UAR on new speakers of the corpora that were trained on, all pooled, beside the SVM."""
    ours, theirs = _base("grouped"), _base("grouped-svm")
    clean, disturbed = ours.results(), ours.results().disturbed
    assert disturbed is not None
    beside = dict(_beside_svm(ours, theirs))
    rates = {
        name: (found.uar, disturbed.by_corpus[name].uar)
        for name, found in clean.by_corpus.items()
    } | {ALL: (clean.scores.uar, disturbed.uar)}  # fmt: skip
    lines = [[name, *map(_uar, pair), *beside[name]] for name, pair in rates.items()]
    of_corpora = (clean.by_corpus, disturbed.by_corpus, theirs.results().by_corpus)
    means = (float(np.mean([one.uar.mean for one in each.values()])) for each in of_corpora)
    lines.insert(-1, ["mean over corpora", *map(percent, means), "", ""])
    titles = ["new speakers of", "emotone-base", "emotone-base, disturbed"]
    titles += ["ComParE 2016 + SVM", "emotone-base minus this", "p"]
    return _table(titles, lines)


def _beside_svm(ours: ResultsFolder, theirs: ResultsFolder) -> Iterator[tuple[str, list[str]]]:
    """UAR of the SVM, how much ours is above it, and p: for each corpus and for all together."""
    results = theirs.results()
    labels, names = results.setting.labels, results.setting.corpus.split("+")
    tables = [folder.predictions() for folder in (ours, theirs)]
    parts = [scoring.split_by_corpus(table, names) | {ALL: table} for table in tables]
    rates = {name: found.uar for name, found in results.by_corpus.items()}
    for name, uar in (rates | {ALL: results.scores.uar}).items():
        counts = [scoring.confusions_by_seed(part[name], labels) for part in parts]
        gain = scoring.paired_difference(*counts)
        yield name, [_uar(uar), _difference(gain), p_value(gain.p)]


@part("neutral")
def neutral() -> str:
    """UAR on unseen corpora over the number of neutral recordings of each speaker."""
    folder = _base("cross-corpus")
    labels, predictions = folder.results().setting.labels, folder.predictions()
    tables = [with_recordings(predictions, labels, count) for count in NEUTRAL_RECORDINGS]
    corpora = sorted(tables[0]["fold"].unique())
    by_corpus = [scoring.by_corpus(table, labels, corpora) for table in tables]
    lines = [[name, *(_uar(found[name].uar) for found in by_corpus)] for name in corpora]
    means = (scoring.score(table, labels).uar.fold_mean for table in tables)
    lines.append(["mean over corpora", *map(percent, means)])
    counts = [scoring.confusions_by_seed(table, labels) for table in tables]
    gains = [scoring.paired_difference(count, counts[0]) for count in counts[1:]]
    lines.append(["pooled, minus none", "–", *map(_difference, gains)])
    return _table(["neutral recordings of each speaker", *map(str, NEUTRAL_RECORDINGS)], lines)


@part("speed")
def speed() -> str:
    """The first table of the benchmarks: recognition."""
    return "\n" + "".join(_recognition()) + "\n"


@part("speed-line")
def speed_line() -> str:
    """The same as a sentence."""
    _, _, *rows = ([cell.strip() for cell in row.split("|")[1:-1]] for row in _recognition())
    (_, milliseconds, faster, _), *others = rows
    slower = [f"{name}: {float(ratio):.1f} times as long" for name, _, _, ratio in others[1:]]
    return (
        f"\nFrom a file of 3 s to its answer, emotone takes {milliseconds} ms on one core "
        f"({faster} times real time). {'; '.join(slower)} ([measured](benchmarks/RESULTS.md)).\n\n"
    )


def _recognition() -> list[str]:
    lines = BENCHMARKS.read_text(encoding="utf-8").splitlines(keepends=True)
    return list(takewhile(_is_row, dropwhile(lambda line: not _is_row(line), lines)))


def _is_row(line: str) -> bool:
    return line.startswith("|")


@part("ingredients")
def ingredients() -> str:
    """What each ingredient is worth, alone and together."""
    variants = {f"+ {name}": f"baseline + {name}" for name in INGREDIENTS}
    variants["all four"] = "all four"
    places = {corpus: _place(corpus, *variants.values()) for corpus in CORPORA}
    lines = [
        [title, *(_gain(place, variant) for place in places.values())]
        for title, variant in variants.items()
    ]
    titles = [f"{_title(corpus, place)}, Δ UAR" for corpus, place in places.items()]
    return _table(["baseline", *titles], lines)


def _gain(place: ResultsFolder, variant: str) -> str:
    """UAR of a variant minus that of the baseline, and the number of common seeds."""
    (row,) = [row for row in place.ablation_results().rows if row.variant == variant]
    found = row.differences.get("baseline")
    if found is None:
        return "–"
    return f"{_difference(found)}, {len(found.seeds)} seed{'s' * (len(found.seeds) > 1)}"


@part("beside")
def beside() -> str:
    """The tables of all other corpora."""
    done = [corpus for corpus in BESIDE if _place(corpus).is_ablation]
    tables = [f"\n{BESIDE[corpus]}:\n{_variants(corpus)}" for corpus in done]
    return "".join(tables) or "\nnot run yet\n\n"


@part("emodb-default")
def emodb_default() -> str:
    """Rates of the default on EMO-DB, from scratch and pre-trained."""
    lines = []
    for row in _ablation("emodb").rows:
        if row.rates is None or not _is_ours(row):
            continue
        report = _variant("emodb", row).path.relative_to(ROOT) / "report.md"
        uar, war = row.rates.uar, row.rates.war
        over_folds = f"{percent(uar.fold_mean)} ± {percent(uar.fold_std)}"
        cells = [f"{percent(each.mean)} [{interval(each.interval_95)}]" for each in (uar, war)]
        lines.append([f"[{row.variant}]({report})", *cells, over_folds, str(len(row.seeds))])
    measures = ["UAR (balanced accuracy, UA), %", "WAR (accuracy, WA), %"]
    return _table(["", *measures, "UAR, mean ± std over folds", "seeds"], lines)


@part("emodb")
def emodb() -> str:
    """The ablation on EMO-DB."""
    return _variants("emodb")


@part("ravdess")
def ravdess() -> str:
    """The ablation on RAVDESS."""
    return _variants("ravdess")


def _together(folder: ResultsFolder) -> str:
    """UAR of the mean of the seeds' posteriors, if there are several."""
    ensemble = folder.results().scores.ensemble
    return "–" if ensemble is None else percent(ensemble.uar.mean)


def _variants(corpus: str) -> str:
    """UAR and WAR of each variant that has results, its differences to the references, its size."""
    folder, results = _place(corpus), _ablation(corpus)
    default = [row.variant for row in results.rows if row.is_default]
    titles = ["variant", "UAR, %", "of the mean posteriors", "WAR, %"]
    for reference in results.references:
        titles.append(f"UAR minus {'the default' if reference in default else reference}")
    lines = []
    for row in results.rows:
        if row.rates is None:
            continue
        name = f"**{row.variant}** (default)" if row.is_default else row.variant
        cells = [name, _uar(row.rates.uar), _together(folder.variant(row.folder))]
        cells.append(rate(row.rates.war))
        for reference in results.references:
            found = row.differences.get(reference)
            star = "*" if found and found.p_holm < SIGNIFICANT else ""
            cells.append(f"{_difference(found)}{star}" if found else "–")
        counts = (len(row.seeds), row.epochs, row.system.parameters)
        lines.append([*cells, *map(count, counts)])
    return _table([*titles, "seeds", "epochs", "parameters"], lines)


@part("missing")
def missing() -> str:
    """Runs that are not finished."""
    lines = []
    for corpus, name in (CORPORA | BESIDE).items():
        if not _place(corpus).is_ablation:
            continue
        results = _ablation(corpus)
        short = [
            f"{row.variant} {row.finished} of {row.runs}"
            for row in results.rows
            if row.finished < row.runs
        ]
        if short:
            lines.append(f"- {name}: {results.missing} runs ({', '.join(short)})\n")
    return "\n" + ("".join(lines) or "- nothing\n") + "\n"


@part("enrolment")
def enrolment() -> str:
    """UAR over the number of enrolment utterances, with the gain."""
    rows: dict[int, list[str]] = {}
    corpora = []
    for corpus in CORPORA:
        place = _place(corpus, "enrolment")
        for row in place.ablation_results().rows:
            if row.variant != "enrolment" or row.rates is None:
                continue
            corpora.append(_title(corpus, place))
            for point in place.variant(row.folder).results().enrolment:
                gain = f" ({_difference(point.gain)})" if point.enrolled else ""
                rows.setdefault(point.enrolled, []).append(f"{percent(point.uar)}{gain}")
    lines = [[str(enrolled), *cells] for enrolled, cells in rows.items()]
    return _table(["enrolment utterances", *(f"{name}, UAR, %" for name in corpora)], lines)


@part("text-independent")
def text_independent() -> str:
    """What it costs that sentences are new, over the same speakers and seeds."""
    titles = [
        "corpus", "system", "trained on all sentences", "on those of the test",
        "on others: text-independent", "others minus those of the test", "p", "others minus all",
        "p",
    ]  # fmt: skip
    lines = []
    for corpus, name in CORPORA.items():
        for system in ("svm", "default"):
            place = HERE / "text-independent" / corpus / system
            found = {
                sentences: ResultsFolder(place / sentences)
                for sentences in ("all", "same", "other")
                if (place / sentences / "report.md").is_file()
            }
            if {"all", "other"} <= found.keys():
                title = FIELD[0] if system == "svm" else "default"
                lines.append([name, title, *_by_sentences(found)])
    return _table(titles, lines) if lines else "\nnot run yet\n\n"


def _by_sentences(found: Mapping[str, ResultsFolder]) -> Iterator[str]:
    """UAR by what was trained on, and two differences; a dash where it has not been run."""
    results = {sentences: folder.results() for sentences, folder in found.items()}
    for sentences in ("all", "same", "other"):
        if sentences in found:
            report = found[sentences].path.relative_to(ROOT) / "report.md"
            yield f"[{_uar(results[sentences].scores.uar)}]({report})"
        else:
            yield "–"
    labels = results["other"].setting.labels
    counts = {
        sentences: scoring.confusions_by_seed(folder.predictions(), labels)
        for sentences, folder in found.items()
    }
    for sentences in ("same", "all"):
        if sentences in counts:
            difference = scoring.paired_difference(counts["other"], counts[sentences])
            yield from (_difference(difference), p_value(difference.p))
        else:
            yield from ("–", "–")


@part("few-labels")
def few_labels() -> str:
    """UAR over the number of labelled utterances of a corpus that the start has not heard."""
    unseen = _base("without-pitch").results().by_corpus
    lines = []
    for corpus in FEW_LABELS:
        paths = (HERE / "few-labels" / corpus).glob("*")
        places = {int(path.name): ResultsFolder(path) for path in paths}
        name = readers()[corpus].info.title.partition(",")[0]
        if places:
            lines.append([name, "0", "–", "–", _uar(unseen[corpus].uar), "–", "–"])
        for few, place in sorted(places.items()):
            rows = {row.variant: row for row in place.ablation_results().rows}
            found = [rows[system] for system in ("from scratch", FIELD[0], "adapted")]
            cells = [_uar(row.rates.uar) if row.rates else "–" for row in found]
            gain = found[-1].differences.get("from scratch")
            compared = [_difference(gain), p_value(gain.p)] if gain else ["–", "–"]
            lines.append([name, str(few), *cells, *compared])
    titles = [
        "corpus", "utterances of each emotion", "from scratch", "ComParE 2016 + SVM", "adapted",
        "adapted minus from scratch", "p",
    ]  # fmt: skip
    return _table(titles, lines) if lines else "\nnot run yet\n\n"


@part("pretrained")
def pretrained() -> str:
    """Gain of pre-training on other corpora, over the same folds and seeds."""
    titles = ["corpus", "pre-trained on", "UAR, %", "UAR minus from scratch", "p", "seeds"]
    done = [corpus for corpus in CORPORA | BESIDE if (HERE / "benchmark" / corpus).is_dir()]
    lines = [_pretrained(corpus) for corpus in done]
    lines += [_before(corpus) for corpus in CORPORA if corpus not in done]
    return _table(titles, [line for line in lines if line])


def _pretrained(corpus: str) -> list[str]:
    (row,) = [row for row in _ablation(corpus).rows if row.variant == "default, pre-trained"]
    found = row.differences.get("default, from scratch")
    if row.rates is None or found is None:
        return []
    report = _variant(corpus, row).path.relative_to(ROOT) / "report.md"
    return _gained((CORPORA | BESIDE)[corpus], str(report), row.system, row.rates.uar, found)


def _before(corpus: str) -> list[str]:
    """What was measured with a pre-training for each seed, which this version no longer has."""
    folder = ResultsFolder(HERE / "pretrained" / corpus)
    results, labels = folder.results(), folder.results().setting.labels
    asked = _options(folder)
    place = ResultsFolder(HERE / f"ablation-{corpus}")
    variants = (place.variant(row.folder) for row in place.ablation_results().rows)
    (scratch,) = (variant for variant in variants if _options(variant) == asked)
    ours, theirs = (
        scoring.confusions_by_seed(each.predictions(), labels) for each in (folder, scratch)
    )
    found = scoring.paired_difference(ours, theirs)
    report = f"results/pretrained/{corpus}/report.md"
    return _gained(CORPORA[corpus], report, results.system, results.scores.uar, found)


def _gained(name: str, report: str, system: System, uar: Rate, found: Comparison) -> list[str]:
    assert system.pretrained_on is not None
    on = system.pretrained_on.replace("+", " + ")
    seeds = str(len(uar.of_seeds))
    return [f"[{name}]({report})", on, _uar(uar), _difference(found), p_value(found.p), seeds]


def _options(folder: ResultsFolder) -> tuple[Options, ...]:
    values = yaml.safe_load(folder.configuration()) | {"pretraining": None}
    config = ExperimentConfig.model_validate(values)
    return config.features, config.model, config.training


def _base(name: str) -> ResultsFolder:
    """Results of emotone-base, or of what it is compared with."""
    return ResultsFolder(HERE / "models" / "emotone-base" / name)


def _place(corpus: str, *variants: str) -> ResultsFolder:
    """Results of ``make benchmark``, or of before as long as these variants are missing there."""
    made = ResultsFolder(HERE / "benchmark" / corpus)
    before = ResultsFolder(HERE / f"ablation-{corpus}")
    if not made.is_ablation:
        return before
    rows = made.ablation_results().rows
    there = {row.variant for row in rows if row.runs and row.finished == row.runs}
    return made if there.issuperset(variants) or not before.is_ablation else before


def _title(corpus: str, place: ResultsFolder) -> str:
    """Name of a corpus, and what was tested before if the results are of then."""
    is_before = place.path.name == f"ablation-{corpus}"
    names = CORPORA | BESIDE | (BEFORE if is_before else {})
    return names[corpus]


def _ablation(corpus: str) -> AblationResults:
    return _place(corpus).ablation_results()


def _variant(corpus: str, row: AblationRow) -> ResultsFolder:
    return _place(corpus).variant(row.folder)


def _uar(found: Rate) -> str:
    low, high = map(percent, found.interval_95)
    return f"{rate(found)} [{low}, {high}]"


def _difference(found: Comparison) -> str:
    return difference(found.difference, found.interval_95)


def _table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n" + "".join(_rows([titles, ["---"] * len(titles), *lines])) + "\n"


def _rows(cells: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in cells:
        yield f"| {' | '.join(row)} |\n"


if __name__ == "__main__":
    CORPORA_PAGE.write_text(corpora_page(), encoding="utf-8")
    for each in PAGES:
        each.write_text(rendered(each), encoding="utf-8")
