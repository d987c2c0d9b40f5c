"""Tables on standard output."""

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from emotone.evaluation.changes import GROUPS
from emotone.reporting.rendering import difference, interval, p_value, percent, points, rate
from emotone.text import agree, plural, printable

if TYPE_CHECKING:
    from emotone.corpora.inspection import Inspection
    from emotone.evaluation.audit_results import Audit
    from emotone.evaluation.results import AblationResults, AblationRow, Rate, Results

SECONDS_PER_HOUR = 3600


def show_results(results: "Results") -> None:
    """Print the rates of an experiment."""
    console = _console()
    setting, scores = results.setting, results.scores
    seeds = f"seed{'s' * (len(setting.seeds) > 1)} {', '.join(map(str, setting.seeds))}"
    table = _table(
        f"{setting.title}, {results.independence}, "
        f"{plural(setting.speakers, 'speaker')}, {plural(len(setting.labels), 'emotion')}, {seeds}"
    )
    for column in ("%", "pooled", "95 % interval", "mean ± std over folds"):
        table.add_column(column, justify="left" if column == "%" else "right")
    rows: dict[str, Rate] = {
        "UAR (balanced accuracy, UA)": scores.uar,
        "WAR (accuracy, WA)": scores.war,
    }
    rows |= {f"UAR of {name}": rates.uar for name, rates in results.by_corpus.items()}
    if results.disturbed is not None:
        rows["UAR, disturbed"] = results.disturbed.uar
    for name, found in rows.items():
        folds = f"{percent(found.fold_mean)} ± {percent(found.fold_std)}"
        table.add_row(name, percent(found.mean), interval(found.interval_95), folds)
    console.print(table)
    console.print("The interval is a bootstrap over speakers.")


def show_ablation(results: "AblationResults") -> None:
    """Print the table of an ablation."""
    console = _console()
    table = _table(f"{results.setting.title}, UAR in %")
    table.add_column("variant")
    table.add_column("mean ± std over seeds", justify="right")
    for reference in results.references:
        table.add_column(f"UAR minus {reference} [95 %], p", justify="right")
    table.add_column("runs", justify="right")
    for row in results.rows:
        table.add_row(
            row.variant,
            rate(row.rates.uar) if row.rates else "–",
            *(_difference(row, reference) for reference in results.references),
            f"{row.finished}/{row.runs}",
        )
    console.print(table)
    if results.missing:
        console.print(
            f"Unfinished: {plural(results.missing, 'run')} {agree(results.missing, 'are')} "
            "missing; a seed counts once all its folds are finished. The same command without "
            "--only resumes."
        )


def show_audit(audit: "Audit") -> None:
    """Print the groups of changes of an audit, each with its worst change."""
    console = Console(file=sys.stdout)
    subject = audit.subject
    console.print(
        f"{subject.model} on {subject.corpus}, {plural(subject.utterances, 'utterance')}, "
        f"{plural(subject.speakers, 'speaker')}: UAR {percent(audit.clean.uar)} %",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("changes", "worst of them"):
        table.add_column(column)
    for column in ("unchanged", "Δ UAR", "met"):
        table.add_column(column, justify="right", no_wrap=True)
    for group, effects in groupby(audit.robustness, lambda effect: effect.group):
        found = list(effects)
        worst = min(found, key=lambda effect: effect.unchanged)
        judged = [effect.passed for effect in found if effect.passed is not None]
        table.add_row(
            GROUPS[group],
            worst.title,
            f"{percent(worst.unchanged)} %",
            points(worst.uar_change),
            f"{sum(judged)} of {len(judged)}" if judged else "–",
        )
    console.print(table)
    console.print(
        f"Calibration error {percent(audit.calibration.error)} %. Confident: "
        f"{percent(audit.coverage.confident)} % of the answers, {percent(audit.coverage.accuracy)} "
        f"% of these are right; {percent(max(kind.confident for kind in audit.non_speech))} % of "
        "the worst kind of sounds without speech.",
        highlight=False,
    )
    for note in subject.notes:
        console.print(printable(f"note: {note}"), highlight=False, markup=False, soft_wrap=True)


def _difference(row: "AblationRow", reference: str) -> str:
    found = row.differences.get(reference)
    if found is None:
        return "–"
    return f"{difference(found.difference, found.interval_95)}, {p_value(found.p_holm)}"


def show_corpora() -> None:
    """Print the corpora that emotone reads."""
    from emotone.corpora import READERS
    from emotone.corpora.catalogue import counts
    from emotone.corpora.info import ANY

    facts = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    layouts = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("name", "language"):
        facts.add_column(column, no_wrap=True)
    for column in ("speakers", "utterances", "emotions"):
        facts.add_column(column, justify="right", no_wrap=True)
    facts.add_column("licence")
    layouts.add_column("name", no_wrap=True)
    layouts.add_column("corpus.root holds", overflow="fold")
    for name, reader in READERS.items():
        info = reader.info
        facts.add_row(name, info.language or ANY, *counts(info), info.licence)
        layouts.add_row(name, info.layout)
    console = _console()
    console.print(facts)
    console.print(layouts)


def show_inspection(inspection: "Inspection") -> None:
    """Print the contents and the problems of a corpus."""
    facts = inspection.as_dict()
    console = _console()
    hours = (facts["seconds"]["sum"] or 0) / SECONDS_PER_HOUR
    sexes = ", ".join(f"{count} {sex}" for sex, count in facts["sexes"].items())
    console.print(
        f"{facts['corpus']}: {plural(facts['utterances'], 'utterance')}, "
        f"{plural(facts['speakers'], 'speaker')} ({sexes}), {hours:.2f} hours"
    )
    console.print(_speakers_table(facts))
    for line in _spreads(facts):
        console.print(line)
    if not facts["problems"]:
        console.print("no problems found")
    for problem in facts["problems"]:
        console.print(printable(f"problem: {problem}"))


def _console() -> Console:
    """Standard output; names of speakers, labels and corpora are printed as they are."""
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False)


def _speakers_table(facts: dict[str, Any]) -> Table:
    table = Table()
    table.add_column("speaker")
    labels = list(facts["emotions"])
    for label in [*labels, "all"]:
        table.add_column(label, justify="right")
    for speaker, counts in facts["emotions_of_speakers"].items():
        cells = [str(counts.get(label, "–")) for label in labels]
        table.add_row(printable(speaker), *cells, str(sum(counts.values())))
    total = [str(count) for count in facts["emotions"].values()]
    table.add_section()
    table.add_row("all", *total, str(facts["utterances"]), style="bold")
    return table


def _spreads(facts: dict[str, Any]) -> list[str]:
    lines = []
    for name, unit, key in (("duration", "s", "seconds"), ("level", "dBFS", "level_dbfs")):
        spread = facts[key]
        if spread["median"] is not None:
            lines.append(
                f"{name}: {spread['least']:.1f} … {spread['median']:.1f} (median) … "
                f"{spread['greatest']:.1f} {unit}"
            )
    for name, key in (("sessions", "sessions"), ("rates in Hz", "rates_hz")):
        if list(facts[key]) != ["not known"]:
            listed = ", ".join(f"{value} ({count})" for value, count in facts[key].items())
            lines.append(f"{name}: {listed}")
    return lines


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold")
