"""Writes a configuration as YAML in which a comment explains each option."""

import textwrap
from typing import Any

from pydantic import BaseModel

from emotone.experiments.config import ExperimentConfig
from emotone.experiments.option_list import meanings, yaml_text

WIDTH = 100
HEAD = """\
# Configuration of an experiment: all options with their meanings. Lines whose value is the default
# may be removed; emotone config lists defaults and ranges. To run it:
#   emotone crossval THIS_FILE --out out/experiment
"""


def template(config: ExperimentConfig) -> str:
    """Write a configuration with comments; reading it gives an equal one.

    A corpus without a root gets a placeholder, except the synthetic one, which needs none.
    """
    described = meanings(ExperimentConfig)
    lines = [HEAD.rstrip()]
    for name in ExperimentConfig.model_fields:
        value = getattr(config, name)
        lines += ["", *_comment(described[name], 0)]
        if name == "corpus" and len(value) > 1:
            lines += ["corpus:", *(f"  - {yaml_text(_given(corpus))}" for corpus in value)]
        elif name == "corpus":
            lines += ["corpus:", *_options(value[0], 1, _root(value[0]))]
        elif isinstance(value, BaseModel):
            lines += [f"{name}:", *_options(value, 1, {})]
        else:
            lines.append(f"{name}: {yaml_text(value)}")
    return "\n".join(lines) + "\n"


def _options(options: BaseModel, level: int, instead: dict[str, Any]) -> list[str]:
    """Lines of the options of a class, indented by ``level``; ``instead`` replaces values."""
    lines: list[str] = []
    described, indent = meanings(type(options)), "  " * level
    for name in type(options).model_fields:
        value = instead.get(name, getattr(options, name))
        lines += _comment(described[name], level)
        if isinstance(value, BaseModel):
            lines += [f"{indent}{name}:", *_options(value, level + 1, {})]
        else:
            lines.append(f"{indent}{name}: {yaml_text(value)}")
    return lines


def _given(corpus: Any) -> dict[str, Any]:
    """The options of one of several corpora that differ from their defaults."""
    changed: dict[str, Any] = corpus.model_dump(mode="json", exclude_defaults=True)
    return {"name": corpus.name} | changed | _root(corpus)


def _root(corpus: Any) -> dict[str, str]:
    if corpus.root is not None or corpus.name == "synthetic":
        return {}
    return {"root": f"FOLDER_OF_{corpus.name.upper()}"}


def _comment(text: str, level: int) -> list[str]:
    prefix = "  " * level + "# "
    return textwrap.wrap(
        text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False
    )
