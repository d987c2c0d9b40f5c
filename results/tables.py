"""Write the generated parts of README and documentation, from the results here and the readers.

Also writes ``docs/corpora.md``. A part of a page is the text between ``<!-- name: … -->`` and
``<!-- end -->``; ``@part("name")`` before a function here makes it write that part.

    python results/tables.py

`make results` makes the results.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

from emotone.corpora.catalogue import corpora_page, corpora_table
from emotone.evaluation import scoring
from emotone.evaluation.metrics import Comparison
from emotone.evaluation.results import AblationResults, AblationRow, Rate
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.compatibility import configuration_of
from emotone.options import Options
from emotone.reporting.rendering import count, difference, interval, p_value, percent, rate

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "explanation" / "results.md")
CORPORA_PAGE = ROOT / "docs" / "corpora.md"
BENCHMARKS = ROOT / "benchmarks" / "RESULTS.md"
CORPORA = {"emodb": "EMO-DB", "ravdess": "RAVDESS"}
SIGNIFICANT = 0.05
MARKED = re.compile(r"(<!-- ([\w-]+): [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)

PARTS: dict[str, Callable[[], str]] = {"corpora": corpora_table}


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


@part("unknown-corpora")
def unknown_corpora() -> str:
    """UAR on each corpus after training on the others."""
    models = HERE / "models" / "emotone-base"
    names = ("recipe-0.1", "12-epochs", "cross-corpus")
    results = [ResultsFolder(models / name).results() for name in names]
    disturbed = results[-1].disturbed
    assert disturbed is not None
    systems = (*results, disturbed)
    lines = [
        [name, *(_uar(system.by_corpus[name].uar) for system in systems)]
        for name in disturbed.by_corpus
    ]
    rates = (*(result.scores.uar for result in results), disturbed.uar)
    lines.append(["mean over corpora", *(percent(rate.fold_mean) for rate in rates)])
    titles = ["recipe of 0.1", "12 epochs", "emotone-base", "emotone-base, disturbed"]
    return _table(["left out", *titles], lines)


@part("speed")
def speed() -> str:
    """The first table of the benchmarks: recognition."""
    lines = BENCHMARKS.read_text(encoding="utf-8").splitlines(keepends=True)
    first = takewhile(_is_row, dropwhile(lambda line: not _is_row(line), lines))
    return "\n" + "".join(first) + "\n"


def _is_row(line: str) -> bool:
    return line.startswith("|")


@part("emodb-default")
def emodb_default() -> str:
    """Rates of the default on EMO-DB."""
    (default,) = [row for row in _ablation("emodb").rows if row.is_default]
    scores = _variant("emodb", default).results().scores
    rates = {"UAR (balanced accuracy, UA)": scores.uar, "WAR (accuracy, WA)": scores.war}
    lines = [
        [
            name, percent(found.mean), interval(found.interval_95),
            f"{percent(found.fold_mean)} ± {percent(found.fold_std)}",
        ]
        for name, found in rates.items()
    ]  # fmt: skip
    titles = ["measure", "pooled, %", "95 % interval over speakers", "mean ± std over folds"]
    report = f"results/ablation-emodb/{default.folder}/report.md"
    return f"{_table(titles, lines)}{len(default.seeds)} seeds; [full report]({report}).\n\n"


@part("emodb")
def emodb() -> str:
    """The ablation on EMO-DB."""
    return _variants(_ablation("emodb"))


@part("ravdess")
def ravdess() -> str:
    """The ablation on RAVDESS."""
    return _variants(_ablation("ravdess"))


def _variants(results: AblationResults) -> str:
    """UAR and WAR of each variant that has results, its differences to the references, its size."""
    default = [row.variant for row in results.rows if row.is_default]
    titles = ["variant", "UAR, %", "WAR, %"]
    for reference in results.references:
        titles.append(f"UAR minus {'the default' if reference in default else reference}")
    lines = []
    for row in results.rows:
        if row.rates is None:
            continue
        name = f"**{row.variant}** (default)" if row.is_default else row.variant
        cells = [name, _uar(row.rates.uar), rate(row.rates.war)]
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
    for corpus, name in CORPORA.items():
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
    for corpus, name in CORPORA.items():
        for row in _ablation(corpus).rows:
            if row.variant != "enrolment" or row.rates is None:
                continue
            corpora.append(name)
            for point in _variant(corpus, row).results().enrolment:
                gain = f" ({_difference(point.gain)})" if point.enrolled else ""
                rows.setdefault(point.enrolled, []).append(f"{percent(point.uar)}{gain}")
    lines = [[str(enrolled), *cells] for enrolled, cells in rows.items()]
    return _table(["enrolment utterances", *(f"{name}, UAR, %" for name in corpora)], lines)


@part("pretrained")
def pretrained() -> str:
    """Gain of pre-training on other corpora, over the same folds and seeds."""
    lines = []
    for corpus, name in CORPORA.items():
        folder = ResultsFolder(HERE / "pretrained" / corpus)
        if not folder.is_experiment:
            continue
        results = folder.results()
        labels = results.setting.labels
        ours, theirs = (
            scoring.confusions_by_seed(each.predictions(), labels)
            for each in (folder, _from_scratch(corpus, folder))
        )
        found = scoring.paired_difference(ours, theirs)
        assert results.system.pretrained_on is not None
        lines.append(
            [
                f"[{name}](results/pretrained/{corpus}/report.md)",
                results.system.pretrained_on.replace("+", " + "),
                _uar(results.scores.uar),
                _difference(found),
                p_value(found.p),
                str(len(results.setting.seeds)),
            ]
        )
    titles = ["corpus", "pre-trained on", "UAR, %", "UAR minus from scratch", "p", "seeds"]
    return _table(titles, lines)


def _from_scratch(corpus: str, pretrained: ResultsFolder) -> ResultsFolder:
    """The variant of the ablation that differs only in the pre-training."""
    asked = _options(pretrained)
    variants = (_variant(corpus, row) for row in _ablation(corpus).rows)
    (found,) = (variant for variant in variants if _options(variant) == asked)
    return found


def _options(folder: ResultsFolder) -> tuple[Options, ...]:
    config = configuration_of(folder)
    return config.features, config.model, config.training


def _ablation(corpus: str) -> AblationResults:
    return ResultsFolder(HERE / f"ablation-{corpus}").ablation_results()


def _variant(corpus: str, row: AblationRow) -> ResultsFolder:
    return ResultsFolder(HERE / f"ablation-{corpus}").variant(row.folder)


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
