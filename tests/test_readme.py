"""The README is current: its generated parts, its links, and the commands and options it names."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from emotone.cli.app import app
from emotone.errors import UsageError
from emotone.experiments import variants
from emotone.experiments.config import checked
from emotone.experiments.overrides import set_option
from emotone.inference.recognizer import Recognizer
from emotone.models.registry import MODEL_KINDS
from tests.helpers import script

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = "corpus|protocol|features|model|training|pretraining|runtime|seeds"
OPTION = re.compile(rf"(?:{SECTIONS})\b[\w.]*=(?:[^\[{{…]*|\[[\d,]*\])")
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


@pytest.mark.parametrize("page", ["README.md", "docs/explanation/results.md"])
def test_every_table_of_results_is_generated(page: str) -> None:
    tables = script(ROOT / "results" / "tables.py")
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = [line for line in tables.MARKED.sub("", text).splitlines() if line.startswith("| ")]
    assert [row for row in rows if re.search(r"\d\.\d", row)] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / link).exists(), link
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}
    for anchor in re.findall(r"\]\(#([^)]+)", text):
        assert anchor in anchors


def test_files_that_are_named_exist() -> None:
    folders = "experiments|src|docs|examples|benchmarks"
    named = re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w", README)
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).exists(), name


def code(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(README) if found == language]


def command_lines() -> Iterator[list[str]]:
    """The words of each ``emotone`` command in code blocks and in code within the text."""
    inline = re.findall(r"`((?:\.venv/bin/)?emotone [^`]+)`", BLOCK.sub("", README))
    for line in [*"".join(code("sh")).splitlines(), *inline]:
        words = shlex.split(re.sub(r"\[(--[^]]*)\]", r"\1", line), comments=True)
        if words and words[0].endswith("emotone"):
            yield words[1:]


def test_commands_have_the_options_that_are_shown() -> None:
    shown = set()
    for name, *words in command_lines():
        command = COMMANDS.commands[name]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for word in words:
            assert not word.startswith("--") or word in known, (name, word)
        shown.add(name)
    assert len(shown) > 8


def shown_options() -> set[str]:
    """All ``key=value`` of configurations, in commands and within the text."""
    inline = re.findall(r"`([^`\n]+)`", BLOCK.sub("", README))
    words = [word for line in command_lines() for word in line]
    words += [word for text in inline for word in text.split(" ")]
    return {word for word in words if OPTION.fullmatch(word)}


def is_known(option: str, kind: str) -> bool:
    """Whether a configuration with this kind of model has an option."""
    values: dict[str, Any] = {"corpus": {"name": "emobox"}, "model": {"kind": kind}}
    if ".0." in option or ".1." in option:
        values["corpus"] = [{"name": "emobox"}, {"name": "emodb"}]
    set_option(values, option)
    try:
        checked(values, option)
    except UsageError as error:
        return "unknown option" not in str(error)
    return True


def test_all_options_that_are_shown_are_known() -> None:
    options = shown_options()
    assert {"training.epochs=20", "seeds=[0,1,2,3,4]", "runtime.device=cuda"} <= options
    for option in options:
        assert any(is_known(option, kind) for kind in MODEL_KINDS), option
    assert not is_known("training.epoch=20", "crnn")


def test_the_ablation_that_is_shown_can_be_loaded(tmp_path: Path) -> None:
    (text,) = code("yaml")
    path = tmp_path / "ablation.yaml"
    path.write_text(text, encoding="utf-8")
    assert list(variants.load(path).variants) == [
        "default", "attention", "both", "ComParE 2016 + SVM",
    ]  # fmt: skip


def test_the_python_that_is_shown_uses_what_there_is() -> None:
    used = set()
    for text in code("python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used.add((node.value.id, node.attr))
    methods = {name for owner, name in used if owner == "recognizer"}
    assert {
        "predict",
        "segments",
        "for_speaker",
        "stream",
        "predict_many",
        "embed",
        "with_threshold",
    } == methods
    assert all(hasattr(Recognizer, name) for name in methods)
    assert {name for owner, name in used if owner == "emotone"} == {"load"}
