"""Roles of Sphinx in docstrings, such as ``:func:`emotone.load```, as links of mkdocstrings."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":\w+:`~?([\w.]+)(?:\(\))?`")
ALIASES = {"emotone.Recognizer": "emotone.inference.recognizer.Recognizer",
           "emotone.load": "emotone.inference.recognizer.load"}  # fmt: skip


class Roles(griffe.Extension):
    """Rewrites docstrings before they are rendered."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace the roles in one docstring."""
        if obj.docstring is not None:
            text = obj.docstring.value.replace("``", "`")
            obj.docstring.value = ROLE.sub(_link, text)


def _link(found: re.Match[str]) -> str:
    name = found[1]
    for short, full in ALIASES.items():
        if name == short or name.startswith(f"{short}."):
            name = full + name.removeprefix(short)
    return f'<autoref optional identifier="{name}"><code>{found[1]}</code></autoref>'
