"""Facts about a corpus in the docstring of its reader: citation, licence, size, layout.

The docstring begins with a title and may continue with paragraphs. Then come the fields, one per
line; continuation lines are indented. ``any`` means that the reader does not fix the value.
"""

import ast
import inspect
import re
import sys
from dataclasses import dataclass

REQUIRED = ("Licence", "Language", "Speakers", "Utterances", "Emotions", "Layout")
OPTIONAL = ("Citation", "Home page")  # readers of arbitrary corpora lack them
FIELD = re.compile(rf"^({'|'.join([*REQUIRED, *OPTIONAL])}): (.+(?:\n[ ]+.+)*)", flags=re.MULTILINE)
ANY = "any"


@dataclass(frozen=True)
class CorpusInfo:
    """Facts about a corpus.

    Attributes:
        title: name of the corpus, without a full stop.
        description: paragraphs in reStructuredText; may be empty.
        citation: publication of the corpus; empty if there is none.
        licence: licence of the corpus, in its owner's terms.
        home_page: URL; empty if there is none.
        language: English name; empty if the reader does not fix it.
        language_code: ISO 639-3 code of ``language``; empty if the reader does not fix it.
        speakers: number of speakers; ``None`` if the reader does not fix it.
        utterances: number of utterances that the reader finds in a complete copy; ``None`` if the
            reader does not fix it.
        emotions: emotone's names of the emotions; empty if the reader does not fix them.
        layout: what ``corpus.root`` holds; completes "the folder that holds …" in messages.
    """

    title: str
    description: str
    citation: str
    licence: str
    home_page: str
    language: str
    language_code: str
    speakers: int | None
    utterances: int | None
    emotions: tuple[str, ...]
    layout: str


def corpus_info(module: str) -> CorpusInfo:
    """Read the docstring of the reader with this module name; see :func:`parse`.

    Python removes docstrings with ``-OO``; then the source is read.
    """
    found = sys.modules[module]
    text = found.__doc__ or ast.get_docstring(ast.parse(inspect.getsource(found))) or ""
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"docstring of {module}: {error}") from error


def parse(docstring: str) -> CorpusInfo:
    """Read the docstring of a reader.

    Raises:
        ValueError: if a required field is missing or a count is not a number.
    """
    text = inspect.cleandoc(docstring)
    fields = {name: " ".join(value.split()) for name, value in FIELD.findall(text)}
    if missing := [name for name in REQUIRED if name not in fields]:
        raise ValueError(f"add the fields {', '.join(missing)}, such as 'Speakers: 10'")
    title, _, description = FIELD.sub("", text).strip().partition("\n\n")
    language = re.fullmatch(r"(.+) \(([a-z]{3})\)", fields["Language"])
    if language is None and fields["Language"] != ANY:
        raise ValueError(f"Language must be like 'German (deu)', got '{fields['Language']}'")
    return CorpusInfo(
        title=" ".join(title.split()).removesuffix("."),
        description=description.strip(),
        citation=fields.get("Citation", ""),
        licence=fields["Licence"],
        home_page=fields.get("Home page", ""),
        language=language[1] if language else "",
        language_code=language[2] if language else "",
        speakers=_count(fields, "Speakers"),
        utterances=_count(fields, "Utterances"),
        emotions=() if fields["Emotions"] == ANY else tuple(fields["Emotions"].split(", ")),
        layout=fields["Layout"],
    )


def _count(fields: dict[str, str], name: str) -> int | None:
    if fields[name] == ANY:
        return None
    if not fields[name].isdigit():
        raise ValueError(f"{name} must be a number or '{ANY}', got '{fields[name]}'")
    return int(fields[name])
