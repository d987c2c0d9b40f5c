"""Tables on standard output."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from emotone.cli.console import console
from emotone.evaluation.changes import GROUPS
from emotone.options import SECONDS_PER_HOUR
from emotone.reporting.rendering import (
    ccc,
    ccc_interval,
    difference,
    interval,
    p_value,
    percent,
    points,
    rate,
)
from emotone.text import agree, plural, printable

if TYPE_CHECKING:
    from emotone.corpora.inspection import Inspection
    from emotone.evaluation.audit_results import Audit
    from emotone.evaluation.results import AblationResults, AblationRow, Rate, Results


def show_results(results: "Results") -> None:
    """Print the rates of an experiment."""
    output = console()
    setting, scores = results.setting, results.scores
    seeds = f"seed{'s' * (len(setting.seeds) > 1)} {', '.join(map(str, setting.seeds))}"
    table = _table(
        f"{setting.title}, {results.independence}, "
        f"{plural(setting.speakers, 'speaker')}, {plural(len(setting.labels), 'emotion')}, {seeds}"
    )
    for column in ("%", "pooled", "95 % interval", "mean ± std over folds"):
        _add(table, column, right=column != "%")
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
    output.print(table)
    for name, score in results.dimensions.items():
        output.print(f"CCC of {name}: {ccc(score)}, 95 % interval {ccc_interval(score)}")
    output.print("The interval is a bootstrap over speakers.")


def show_ablation(results: "AblationResults") -> None:
    """Print the table of an ablation."""
    output = console()
    table = _table(f"{results.setting.title}, UAR in %")
    _add(table, "variant")
    _add(table, "mean ± std over seeds", right=True)
    for reference in results.references:
        _add(table, f"UAR minus {reference} [95 %], p", right=True)
    _add(table, "runs", right=True)
    for row in results.rows:
        table.add_row(
            row.variant,
            rate(row.rates.uar) if row.rates else "–",
            *(_difference(row, reference) for reference in results.references),
            f"{row.finished}/{row.runs}",
        )
    output.print(table)
    if results.missing:
        output.print(
            f"Unfinished: {plural(results.missing, 'run')} {agree(results.missing, 'are')} "
            "missing; a seed counts once all its folds are finished. The same command without "
            "--only resumes."
        )


def show_audit(audit: "Audit") -> None:
    """Print the groups of changes of an audit, each with its worst change."""
    output = console()
    subject = audit.subject
    output.print(
        f"{subject.model} on {subject.corpus}, {plural(subject.utterances, 'utterance')}, "
        f"{plural(subject.speakers, 'speaker')}: UAR {percent(audit.clean.uar)} %",
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("changes", "worst of them"):
        _add(table, column)
    for column in ("unchanged", "Δ UAR", "met"):
        _add(table, column, right=True)
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
    output.print(table)
    output.print(
        f"Calibration error {percent(audit.calibration.error)} %. Confident: "
        f"{percent(audit.coverage.confident)} % of the answers, {percent(audit.coverage.accuracy)} "
        f"% of these are right; {percent(max(kind.confident for kind in audit.non_speech))} % of "
        "the worst kind of sounds without speech.",
    )
    for note in subject.notes:
        output.print(printable(f"note: {note}"), soft_wrap=True)


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
        _add(facts, column)
    for column in ("speakers", "utterances", "emotions"):
        _add(facts, column, right=True)
    _add(facts, "licence")
    _add(layouts, "name")
    _add(layouts, "corpus.root holds")
    for name, reader in READERS.items():
        info = reader.info
        facts.add_row(name, info.language or ANY, *counts(info), info.licence)
        layouts.add_row(name, info.layout)
    output = console()
    output.print(facts)
    output.print(layouts)


def show_inspection(inspection: "Inspection") -> None:
    """Print the contents and the problems of a corpus."""
    facts = inspection.as_dict()
    output = console()
    hours = (facts["seconds"]["sum"] or 0) / SECONDS_PER_HOUR
    known = {sex: count for sex, count in facts["sexes"].items() if sex != "not known"}
    sexes = ", ".join(f"{count} {sex}" for sex, count in known.items()) or "sex not known"
    output.print(
        f"{facts['corpus']}: {plural(facts['utterances'], 'utterance')}, "
        f"{plural(facts['speakers'], 'speaker')} ({sexes}), {hours:.2f} hours"
    )
    output.print(_speakers_table(facts))
    for line in _spreads(facts):
        output.print(line)
    if not facts["problems"]:
        output.print("no problems found")
    for problem in facts["problems"]:
        output.print(printable(f"problem: {problem}"), soft_wrap=True)


def _add(table: Table, title: str, *, right: bool = False) -> None:
    """Add a column; where the terminal is narrow, its text is folded and never cut."""
    table.add_column(title, justify="right" if right else "left", overflow="fold")


def _speakers_table(facts: dict[str, Any]) -> Table:
    # narrow, so that eight emotions fit 80 columns
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    _add(table, "speaker")
    labels = list(facts["emotions"])
    for label in [*labels, "all"]:
        _add(table, label, right=True)
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
        if facts[key]["median"] is not None:
            lines.append(f"{name}: {_spread(facts[key], 1)} {unit}")
    for name, spread in facts["dimensions"].items():
        if spread["median"] is not None:
            known = plural(spread["utterances"], "utterance")
            lines.append(f"{name}: {_spread(spread, 2)}, {known}")
    for name, key in (("sessions", "sessions"), ("rates in Hz", "rates_hz")):
        if list(facts[key]) != ["not known"]:
            listed = ", ".join(f"{value} ({count})" for value, count in facts[key].items())
            lines.append(f"{name}: {listed}")
    return lines


def _spread(spread: dict[str, Any], digits: int) -> str:
    least, median, greatest = (
        f"{spread[key]:.{digits}f}" for key in ("least", "median", "greatest")
    )
    return f"{least} … {median} (median) … {greatest}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold")
