"""Models and options on standard output; the layout follows the width of the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from emotone.cli.console import console

if TYPE_CHECKING:
    from emotone.experiments.option_list import Option
    from emotone.inference.model_list import ListedModel

WIDE = 110  # columns from which options are a table; below, a list


def show_models(models: Sequence["ListedModel"]) -> None:
    """Print a block for each model."""
    output = console()
    for number, model in enumerate(models):
        default = ", the default" if number == 0 else ""
        output.print(Text(f"{model.name} ({model.source}{default})", style="bold"))
        size = f"{model.megabytes} MB"
        if model.parameters is not None:
            size += f", {model.parameters:,} parameters"
        trained = ", ".join(model.corpora) or "not stated"
        if model.speakers is not None:
            trained += f"; {model.speakers} speakers"
        facts = Table.grid(padding=(0, 2))
        facts.add_column(no_wrap=True)
        facts.add_column(overflow="fold")
        rows = {
            "  emotions": ", ".join(model.labels),
            "  trained on": trained,
            "  size": size,
            "  UAR, %": _uar(model),
            "  confident": f"from a probability of {model.confident_from} on",
            "  licence": model.licence,
        }
        for title, fact in rows.items():
            facts.add_row(title, fact)
        output.print(facts)


def _uar(model: "ListedModel") -> str:
    """The figures of a card, by protocol."""
    by_protocol: dict[str, list[str]] = {}
    for row in model.evaluation:
        by_protocol.setdefault(row.protocol, []).append(f"{row.corpus} {row.uar}")
    parts = [f"{protocol}: {', '.join(rates)}" for protocol, rates in by_protocol.items()]
    return "; ".join(parts) or "not stated"


def show_options(options: Sequence["Option"]) -> None:
    """Print a row for each option, or a paragraph if the terminal is narrow."""
    output = console()
    if output.width < WIDE:
        for option in options:
            output.print(Text(option.key, style="bold"), Text(_facts(option)), soft_wrap=True)
            if option.meaning:
                output.print(Text(option.meaning), soft_wrap=False)
            output.print()
        return
    table = Table(pad_edge=False, show_lines=False)
    for title in ("option", "type", "default", "meaning"):
        table.add_column(title, overflow="fold")
    table.columns[0].no_wrap = True
    for option in options:
        kind = f"{option.type}, {option.range}" if option.range else option.type
        needs = f" (with {option.only_with})" if option.only_with else ""
        table.add_row(option.key, kind, option.default, f"{option.meaning}{needs}")
    output.print(table)


def _facts(option: "Option") -> str:
    parts = [option.type, option.range, f"default {option.default}"]
    if option.only_with:
        parts.append(f"with {option.only_with}")
    return "; ".join(part for part in parts if part)
