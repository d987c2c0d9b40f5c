"""What mkdocs does besides: generated pages, notebooks, and links to files of the repository."""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REPOSITORY = "repository"  # folder of the site for pages of the repository outside of docs/
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)\s#]+)(#[^)]*)?(?=\))")

sys.path.insert(0, str(HERE))
sys.path.insert(0, str(ROOT / "src"))

from notebooks import as_markdown  # noqa: E402
from pages import PAGES  # noqa: E402


def on_files(files: Files, config: Any) -> Files:
    """Add generated pages, notebooks as pages, and the pages that links outside of docs/ need."""
    for path, write in PAGES.items():
        files.append(File.generated(config, path, content=write()))
    for notebook in [one for one in files if one.src_uri.endswith(".ipynb")]:
        files.remove(notebook)
        text, pictures = as_markdown(Path(str(notebook.abs_src_path)))
        page = notebook.src_uri.replace(".ipynb", ".md")
        files.append(File.generated(config, page, content=text))
        for name, data in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=data))
    outside: set[Path] = set()
    for page in [one for one in files if one.src_uri.endswith(".md")]:
        outside |= _outside(page.src_uri, page.content_string)
    for path in sorted(outside):
        files.append(File.generated(config, _uri(path), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links to files of the repository, and to notebooks, to their pages here."""
    del config
    here = page.file.src_uri
    if here.startswith(f"{REPOSITORY}/"):
        return _without_links_into_the_repository(markdown, here, files)

    def replace(found: re.Match[str]) -> str:
        target = _target(here, found[1])
        if target is None:
            return found[0].replace(".ipynb", ".md")
        return posixpath.relpath(_uri(target), posixpath.dirname(here)) + (found[2] or "")

    return LINK.sub(replace, markdown)


def _outside(here: str, markdown: str) -> set[Path]:
    """Files of the repository outside of docs/ that a page links to."""
    found = {_target(here, link[1]) for link in LINK.finditer(markdown)}
    return {path for path in found if path is not None}


def _target(here: str, link: str) -> Path | None:
    """The file outside of docs/ that a link of a page leads to, if there is one."""
    path = (ROOT / "docs" / posixpath.dirname(here) / link).resolve()
    inside = path.is_relative_to(ROOT / "docs") or not path.is_relative_to(ROOT)
    return path if not inside and path.is_file() else None


def _uri(path: Path) -> str:
    """Place of a file of the repository in the site; HTML must not meet what Markdown becomes."""
    folder = "html/" if path.suffix == ".html" else ""
    return f"{REPOSITORY}/{folder}{path.relative_to(ROOT).as_posix()}"


def _without_links_into_the_repository(markdown: str, here: str, files: Files) -> str:
    """Keep the text of links whose target is no page of the site."""
    link = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)\s#]+)[^)]*\)")

    def replace(found: re.Match[str]) -> str:
        uri = posixpath.normpath(posixpath.join(posixpath.dirname(here), found[2]))
        return found[0] if files.get_file_from_path(uri) else found[1]

    return link.sub(replace, markdown)
