"""Lists the corpora that emotone reads: for the command line and ``docs/corpora.md``.

All facts come from the docstrings of the readers, see :mod:`emotone.corpora.info`.
"""

from dataclasses import asdict
from typing import Any

from emotone.corpora.info import ANY, CorpusInfo
from emotone.corpora.registry import readers

TITLES = ("`corpus.name`", "corpus", "language", "speakers", "utterances", "emotions", "licence",
          "`corpus.root` holds")  # fmt: skip


def corpora_list() -> list[dict[str, Any]]:
    """Facts about each reader's corpus, for JSON; ``None`` where the reader does not fix them."""
    return [
        {"name": name} | {key: value or None for key, value in asdict(reader.info).items()}
        for name, reader in readers().items()
    ]


def counts(info: CorpusInfo) -> tuple[str, str, str]:
    """Numbers of speakers, utterances and emotions as text."""
    numbers = (info.speakers, info.utterances, len(info.emotions))
    speakers, utterances, emotions = (f"{number:,}" if number else ANY for number in numbers)
    return speakers, utterances, emotions


def corpora_table() -> str:
    """A Markdown table with one row per reader."""
    rows = [TITLES, ("---",) * len(TITLES)]
    for name, reader in readers().items():
        info = reader.info
        corpus = f"[{info.title}]({info.home_page})" if info.home_page else info.title
        facts = (info.language or ANY, *counts(info), info.licence, info.layout)
        rows.append((f"`{name}`", corpus, *facts))
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


def corpora_page() -> str:
    """The text of ``docs/corpora.md``: the table, then a section per reader."""
    sections = [_section(name, reader.info) for name, reader in readers().items()]
    return (
        "# Corpora\n\n"
        "`python results/tables.py` writes this page from the docstrings of the readers in\n"
        "`src/emotone/corpora`. `emotone corpora` lists the same.\n"
        "[How to add a corpus](how-to/add-a-corpus.md).\n" + corpora_table() + "\n".join(sections)
    )


def _section(name: str, info: CorpusInfo) -> str:
    language = f"{info.language} (`{info.language_code}`)" if info.language else ANY
    speakers, utterances, _ = counts(info)
    facts = {
        "Citation": info.citation,
        "Licence": info.licence,
        "Home page": f"<{info.home_page}>" if info.home_page else "",
        "Language": language,
        "Speakers": speakers,
        "Utterances": utterances,
        "Emotions": ", ".join(info.emotions) or ANY,
        "`corpus.root` holds": info.layout,
    }
    lines = "".join(f"- {title}: {fact}\n" for title, fact in facts.items() if fact)
    return f"## `{name}`\n\n{info.title}.\n\n{info.description.replace('``', '`')}\n\n{lines}"
