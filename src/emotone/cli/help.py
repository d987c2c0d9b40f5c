"""Commands: help with options in groups and examples at its end, and no empty arguments."""

import inspect
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from emotone.errors import UsageError
from emotone.text import shown

EXAMPLES = "\n\nExamples:\n"
OPTIONS = "Options"


def parts(docstring: str) -> tuple[str, list[str]]:
    r"""Divide the docstring of a command into description and examples.

    >>> parts("Do it.\n\nExamples:\n    emotone do\n    emotone do --well")
    ('Do it.', ['emotone do', 'emotone do --well'])
    """
    description, _, examples = inspect.cleandoc(docstring).partition(EXAMPLES)
    return description, [line.strip() for line in examples.splitlines() if line.strip()]


class Command(TyperCommand):
    """A command whose help has groups of options and, from its docstring, examples.

    Empty arguments are refused, as from a variable of the shell that is not set: an empty path
    would be the current folder.
    """

    def __init__(self, *arguments: Any, help: str, **options: Any) -> None:
        description, self.examples = parts(help)
        super().__init__(*arguments, help=description, **options)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments, none of which may be empty; errors say what came."""
        if "" in args:
            before = args[: args.index("")]
            place = f" after {shown(before[-1])}" if before else ""
            raise UsageError(
                f"an argument{place} is empty; give a value, or leave it out (a variable of the "
                "shell that is not set?)"
            )
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            from pydantic import ValidationError

            if isinstance(error.__cause__, ValidationError):
                first = error.__cause__.errors()[0]
                error.message = error.message.removeprefix("Value error, ")
                if first["type"] != "value_error":  # Typer's own, which says what came
                    error.message += f", got {shown(first['input'])}"
            raise

    def groups(self, context: Any) -> dict[str, list[Any]]:
        """Arguments and options by the title of their group, those of all commands last."""
        found: dict[str, list[Any]] = {"Arguments": [], OPTIONS: []}
        for parameter in self.get_params(context):
            title = "Arguments"
            if parameter.param_type_name == "option":
                title = getattr(parameter, "rich_help_panel", None) or OPTIONS
            if parameter.name == "help":
                title = list(found)[-1]
            found.setdefault(title, []).append(parameter)
        return {title: listed for title, listed in found.items() if listed}

    def format_options(self, context: Any, formatter: Any) -> None:
        """Write a section for each group."""
        for title, listed in self.groups(context).items():
            records = [parameter.get_help_record(context) for parameter in listed]
            with formatter.section(title):
                formatter.write_dl([record for record in records if record is not None])

    def format_epilog(self, context: Any, formatter: Any) -> None:
        """Write the examples, which are never wrapped, so that they can be copied."""
        del context
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Group(TyperGroup):
    """The program, whose help describes each command in a whole sentence."""

    def format_commands(self, context: Any, formatter: Any) -> None:
        """Write the first sentence about each command."""
        del context
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, (command.help or "").partition("\n\n")[0])
                    for name, command in self.commands.items()
                ]
            )
