"""The README and the pages it leads to are current: generated parts, links, commands, options."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from emotone.cli.app import app
from emotone.inference.recognizer import Recognizer
from tests.helpers import script

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GATHERED = ["docs/explanation/ingredients.md", "docs/explanation/protocols.md", "docs/serving.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS: Any = typer.main.get_command(app)


def test_the_generated_parts_are_current() -> None:
    tables = script(ROOT / "results" / "tables.py")
    pages = {page: page.read_text(encoding="utf-8") for page in tables.PAGES}
    assert {found[2] for text in pages.values() for found in tables.MARKED.finditer(text)} == set(
        tables.PARTS
    )
    for page, text in pages.items():
        assert tables.rendered(page) == text
    assert tables.CORPORA_PAGE.read_text(encoding="utf-8") == tables.corpora_page()


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150
    assert len(README.split()) < 1200


@pytest.mark.parametrize(
    "page", ["README.md", "docs/explanation/ingredients.md", "docs/explanation/results.md"]
)
def test_every_table_of_results_is_generated(page: str) -> None:
    tables = script(ROOT / "results" / "tables.py")
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = [line for line in tables.MARKED.sub("", text).splitlines() if line.startswith("| ")]
    assert [row for row in rows if re.search(r"\d\.\d", row)] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]+))?", text):
        page = ROOT / (link or name)
        assert page.exists(), link
        assert not anchor or anchor in anchors(page), (link, anchor)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", ["README.md", *GATHERED])
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    folders = "experiments|src|docs|examples|benchmarks"
    named = re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w", text)
    assert named
    for name in named:
        assert (ROOT / name).exists(), name


def code(page: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page) if found == language]


def command_lines() -> Iterator[list[str]]:
    """The words of each ``emotone`` command in code blocks and in code within the text."""
    inline = re.findall(r"`(emotone [^`]+)`", BLOCK.sub("", README))
    for line in [*"".join(code(README, "sh")).splitlines(), *inline]:
        words = shlex.split(line, comments=True)
        if words[:1] == ["emotone"] and not words[1].startswith("--"):
            yield words[1:]


def test_commands_have_the_options_that_are_shown() -> None:
    shown = set()
    for name, *words in command_lines():
        command = COMMANDS.commands[name]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for word in words:
            assert not word.startswith("--") or word in known, (name, word)
        shown.add(name)
    assert {"predict", "corpus", "crossval", "adapt", "train", "serve"} <= shown


def test_the_python_that_is_shown_uses_what_there_is() -> None:
    page = (ROOT / "docs" / "tutorials" / "recognise.md").read_text(encoding="utf-8")
    shown, everything = used(README), used(page)
    assert ("recognizer", "segments") in shown
    assert {name for owner, name in everything if owner == "recognizer"} == {
        "predict", "segments", "for_speaker", "stream", "predict_many", "embed", "with_threshold",
        "with_neutral",
    }  # fmt: skip
    for owner, name in shown | everything:
        assert owner != "recognizer" or hasattr(Recognizer, name), name
        assert owner != "emotone" or name == "load", name


def used(page: str) -> set[tuple[str, str]]:
    """Names and the attributes that the Python of a page takes of them."""
    nodes = [node for text in code(page, "python") for node in ast.walk(ast.parse(text))]
    return {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
