"""``--help`` of every command: groups, defaults, examples that can be typed."""

import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer

from emotone.cli.app import COMMANDS, app
from emotone.cli.help import Command
from emotone.errors import UsageError
from tests.helpers import emotone

PROGRAM: Any = typer.main.get_command(app)
NAMES = [command.__name__ for command in COMMANDS]


def context_of(name: str) -> Any:
    return typer.Context(PROGRAM.commands[name], info_name=name)


@pytest.mark.parametrize("name", NAMES)
def test_two_examples_end_the_help_and_can_be_typed(name: str) -> None:
    command: Command = PROGRAM.commands[name]
    assert len(command.examples) == 2
    shown = emotone(name, "--help").stdout.rstrip().splitlines()
    assert [line.strip() for line in shown[-3:]] == ["Examples:", *command.examples]
    for example in command.examples:
        program, first, *words = shlex.split(example.partition(" > ")[0])
        assert (program, first) == ("emotone", name)
        command.make_context(name, words)  # raises for an unknown option or a missing argument


@pytest.mark.parametrize("name", NAMES)
def test_every_option_says_what_happens_without_it(name: str) -> None:
    command, context = PROGRAM.commands[name], context_of(name)
    for parameter in command.params:
        if parameter.param_type_name != "option" or getattr(parameter, "is_flag", False):
            continue
        _, text = parameter.get_help_record(context)
        said = re.search(r"by default|\[(.*; )?default: |required|needed|env var", text, re.I)
        optional_file = re.match(r"(Write|Save|Draw|Print) ", text)
        assert said or optional_file, f"{parameter.opts}: {text}"


def test_options_are_in_groups() -> None:
    text = emotone("predict", "--help").stdout
    titles = re.findall(r"^(\w+):$", text, re.MULTILINE)
    assert titles == [
        "Arguments", "Options", "Model", "Windows", "Calls", "Output", "Resources", "General",
        "Examples",
    ]  # fmt: skip
    model = text.partition("Model:")[2].partition("Windows:")[0]
    assert re.findall(r"^  (--[\w-]+)", model, re.MULTILINE) == [
        "--model", "--threshold", "--only", "--speaker", "--save-speaker",
        "--neutral",
    ]  # fmt: skip


def test_the_program_names_every_command_in_a_whole_sentence() -> None:
    text = emotone("--help").stdout
    assert re.findall(r"^  (\w+)  ", text.partition("Commands:")[2], re.MULTILINE) == NAMES
    assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize("columns", ["40", "60"])
def test_a_narrow_terminal_loses_nothing(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = emotone("audit", "--help").stdout
    monkeypatch.setenv("COLUMNS", columns)
    narrow = emotone("audit", "--help").stdout
    assert "".join(narrow.split()) == "".join(wide.split())
    options = narrow.partition("Examples:")[0]
    assert max(map(len, options.splitlines())) <= max(int(columns), 50)


@pytest.mark.parametrize(
    ("typed", "offered"), [("cro", ["crossval"]), ("co", ["corpora", "corpus", "config"])]
)
def test_the_shell_completes_commands(typed: str, offered: list[str]) -> None:
    asked = {
        "_EMOTONE_COMPLETE": "complete_bash",
        "COMP_WORDS": f"emotone {typed}",
        "COMP_CWORD": "1",
    }
    code = "import sys; sys.argv = ['emotone']; from emotone.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True
    )
    assert done.stdout.split() == offered, done.stderr


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["predict", ""], "an argument is empty"),
        (["predict", "a.wav", "--output", ""], "an argument after '--output' is empty"),
        (["crossval", "emodb", "", "--out", "x"], "an argument after 'emodb' is empty"),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(arguments: list[str], place: str) -> None:
    with pytest.raises(UsageError, match=place):
        app(arguments)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--threshold", "2"), ("--jobs", "0"), ("--hop", "wide"), ("--channels", "three")],
)
def test_a_wrong_value_is_repeated_once(option: str, value: str) -> None:
    done = emotone("predict", "call.wav", option, value)
    assert done.returncode == 2
    assert done.stderr.count(repr(value)) == 1
