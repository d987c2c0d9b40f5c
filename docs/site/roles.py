"""Docstrings as mkdocstrings needs them: roles of Sphinx as links, examples in a section."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":\w+:`~?([\w.]+)(?:\(\))?`")
EXAMPLE = re.compile(r"^>>> (?:.+\n?)+", re.MULTILINE)
ALIASES = {"emotone.Recognizer": "emotone.inference.recognizer.Recognizer",
           "emotone.load": "emotone.inference.recognizer.load"}  # fmt: skip


class Roles(griffe.Extension):
    """Rewrites docstrings before they are rendered."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            text = obj.docstring.value.replace("``", "`")
            obj.docstring.value = ROLE.sub(_link, EXAMPLE.sub(_section, text))


def _link(found: re.Match[str]) -> str:
    name = found[1]
    for short, full in ALIASES.items():
        if name == short or name.startswith(f"{short}."):
            name = full + name.removeprefix(short)
    return f'<autoref optional identifier="{name}"><code>{found[1]}</code></autoref>'


def _section(found: re.Match[str]) -> str:
    return "Examples:\n" + "".join(f"    {line}\n" for line in found[0].splitlines())
