"""The pages that are generated from the code: commands, options, REST, model cards."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from emotone.cli.app import app
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.option_list import Option, all_options, meanings
from emotone.inference import model_folder

ROOT = Path(__file__).parents[2]


def commands() -> str:
    """Every command, with its arguments, options and examples."""
    program: Any = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Written from the code when this page is built; `emotone COMMAND --help` says the same. "
        "The exit code is 0 only if all that was asked for worked, and 2 for wrong usage. "
        "`emotone --install-completion` lets the shell complete commands and options.",
    ]
    for name, command in program.commands.items():
        context = typer.Context(command, info_name=f"emotone {name}")
        lines += ["", f"## emotone {name}", "", command.help, "", "```sh", *command.examples, "```"]
        for title, parameters in command.groups(context).items():
            if title != "General":
                rows = [one.get_help_record(context) for one in parameters]
                lines += ["", *_table([title.lower(), "meaning"], map(_shown, rows))]
    general = [one.get_help_record(context) for one in command.groups(context)["General"]]
    lines += ["", "## All commands", "", *_table(["option", "meaning"], map(_shown, general))]
    return "\n".join(lines) + "\n"


def _shown(record: tuple[str, str]) -> list[str]:
    return [f"`{record[0]}`", record[1]]


def options() -> str:
    """Every option of a configuration."""
    lines = [
        "# Options",
        "",
        "Written from the code when this page is built; `emotone config` lists the same. An option "
        "is set in a YAML file (`emotone config --yaml emodb` prints one with all of them) or as "
        "`key=value` on the command line, such as `training.epochs=20` or `seeds=[0,1,2,3,4]`. For "
        "an unknown name, the error suggests the nearest known one.",
    ]
    described = meanings(ExperimentConfig)
    for section, listed in groupby(all_options(), key=lambda one: one.key.partition(".")[0]):
        lines += ["", f"## {section}", "", f"{_sentence(described[section])}"]
        for needed, several in groupby(listed, key=_part):
            if needed:
                lines += ["", f"### {needed}"]
            titles = ["option", "type and default", "meaning"]
            lines += ["", *_table(titles, (_row(one) for one in several))]
    return "\n".join(lines) + "\n"


def _part(option: Option) -> str:
    """Heading within a section: a subsection, or the corpus or model that has the option."""
    if option.only_with:
        return f"with {option.only_with}"
    return option.section if "." in option.section else ""  # the section has its heading already


def _row(option: Option) -> list[str]:
    kind = f"{option.type}, {option.range}" if option.range else option.type
    return [f"`{option.key}`", f"{kind}<br>`{option.default}`", option.meaning]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def rest() -> str:
    """The endpoints of the service, from its OpenAPI document, after the page about its use."""
    from emotone.serve.app import create
    from emotone.serve.options import ServeOptions

    document = create(ServeOptions()).openapi()
    lines = [(ROOT / "docs" / "site" / "rest.md").read_text(encoding="utf-8").rstrip()]
    for group in document["tags"]:
        lines += ["", f"## {group['name']}", "", group["description"]]
        for path, methods in document["paths"].items():
            for method, about in methods.items():
                if group["name"] in about["tags"]:
                    lines += ["", f"### {method.upper()} {path}", "", *_endpoint(about)]
    return "\n".join(lines) + "\n"


def _endpoint(about: dict[str, Any]) -> Iterator[str]:
    yield about["description"].rstrip()
    if parameters := about.get("parameters"):
        rows: Iterator[Any] = (_parameter(one) for one in parameters)
        yield from ("", *_table(["parameter", "type", "default", "meaning"], rows))
    for kind, content in about["responses"].get("200", {}).get("content", {}).items():
        text = content["example"]
        if kind == "application/json":
            text = json.dumps(text, indent=1)
        yield from ("", f"```{kind.rpartition('/')[2]}", text.rstrip(), "```")
    rows = ([code, one["description"]] for code, one in about["responses"].items())
    yield from ("", *_table(["status", "meaning"], rows))


def _parameter(about: dict[str, Any]) -> list[str]:
    schema = about["schema"]
    kinds = schema.get("anyOf", [schema])
    kind = next(one for one in kinds if one.get("type") != "null")
    limits = {"minimum": "≥", "maximum": "≤"}
    ranges = [f"{sign} {kind[name]:g}" for name, sign in limits.items() if name in kind]
    default = "required" if about.get("required") else str(schema.get("default", "–"))
    named = ", ".join([kind["type"], *ranges])
    return [f"`{about['name']}`", named, default, about.get("description", "")]


def card(name: str) -> str:
    """The card of a shipped model."""
    return (model_folder.MODELS / name / model_folder.CARD).read_text(encoding="utf-8")


def _table(titles: list[str], rows: Any) -> Iterator[str]:
    """Lines of a Markdown table; bars are escaped, except in code, where they stay."""
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        cells = [re.sub(r"\s+", " ", cell) for cell in row]
        cells = [cell if cell.startswith("`") else cell.replace("|", "\\|") for cell in cells]
        yield f"| {' | '.join(cells)} |"


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/options.md": options,
    "reference/rest.md": rest,
    "reference/emotone-base.md": lambda: card("emotone-base"),
    "reference/emotone-8.md": lambda: card("emotone-8"),
}
