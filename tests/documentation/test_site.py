"""The documentation builds strictly, its links lead somewhere, and it asks no other server."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from emotone.cli.app import COMMANDS
from emotone.experiments.option_list import all_options
from tests.helpers import Links

pytest.importorskip("material", reason="needs the extra docs: mkdocs-material")
pytest.importorskip("mkdocstrings", reason="needs the extra docs: mkdocstrings")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]  # one fixture for all

ROOT = Path(__file__).parents[2]
WIDTHS = (375, 1280)  # of a phone and of a laptop
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
SEARCHES = "document.querySelector('.md-search-result__meta').innerText.startsWith('Type')"
CHROMIUM = shutil.which("chromium")
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
OUTSIDE_OUR_HANDS = "repository/html/"  # reports, which have tests of their own


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def links_of(page: Path) -> list[str]:
    reader = LooseLinks()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader.found


class LooseLinks(Links):
    """The links of a page whose elements need not be closed."""

    def handle_endtag(self, tag: str) -> None:
        """Accept what HTML allows."""


def pages(site: Path) -> list[Path]:
    found = [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"]
    return [page for page in found if OUTSIDE_OUR_HANDS not in page.as_posix()]


def test_every_link_and_picture_is_there(site: Path) -> None:
    checked = 0
    for page in pages(site):
        for link in links_of(page):
            address = urlsplit(link)
            if address.scheme or not address.path:
                continue
            target = page.parent / unquote(address.path)
            assert target.exists(), f"{page.relative_to(site)}: {link}"
            checked += 1
    assert checked > 1000


def test_the_reference_has_every_command_and_every_option(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f">emotone {one.__name__}<" in commands for one in COMMANDS)
    options = (site / "reference" / "options.html").read_text(encoding="utf-8")
    assert all(f"<code>{one.key}</code>" in options for one in all_options())


def test_the_python_page_has_signatures_and_examples(site: Path) -> None:
    text = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("recognizer.Recognizer.predict_many", "crossval.crossval", "errors.AudioError"):
        assert name in text
    assert "&gt;&gt;&gt; " in text
    assert ":func:" not in text
    assert ":class:" not in text


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = partial(Handler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_browser_asks_nobody_else_and_no_page_is_too_wide(site: Path, address: str) -> None:
    from playwright.sync_api import TimeoutError as NeverError
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        for width in sorted(WIDTHS):
            # a page of its own, as resizing has no time limit
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            for one in pages(site):
                name = one.relative_to(site).as_posix()
                page.goto(address + name)
                try:  # the search of the theme slides to its place
                    page.wait_for_function(FITS, timeout=5000)
                except NeverError:
                    pytest.fail(f"{name} is too wide at {width} pixels")
        page.goto(f"{address}index.html")
        page.wait_for_function(SEARCHES, timeout=120_000)  # it makes an index first
        page.locator("input[name=query]").press_sequentially("threshold")  # it hears keys only
        page.wait_for_selector(".md-search-result__item a", timeout=120_000)
        browser.close()
    local = (address, "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []
    assert complaints == []
