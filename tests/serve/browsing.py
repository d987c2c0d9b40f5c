"""A running service with the shipped models, and a browser on its page."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: apt-get install chromium"
)
# elements that are seen and have text of their own, with the contrast of the text to what is below
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((v) => v / 255).map(
    (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4,
  ).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  return [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility()
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
    && !one.disabled && one.getBoundingClientRect().width > 1).map((one) => {
    const below = [];
    for (let at = one; at; at = at.parentElement)
      below.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(one);
    const colour = one.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const both = [over(below), over([...below, colour])].map(luminance);
    const [dark, light] = both.sort((a, b) => a - b);
    return [one.textContent.trim().slice(0, 40), (light + 0.05) / (dark + 0.05)];
  });
}"""
# what is pressed, with the smaller of width and height
TARGETS = """() => [...document.querySelectorAll(
  "button, a, select, summary, .drop, [role=slider]")].filter(
  (one) => one.checkVisibility()).map((one) => {
    const { width, height } = one.getBoundingClientRect();
    return [one.id || one.textContent.trim(), Math.min(width, height)];
  })"""


class Server:
    """A running `emotone serve` with the shipped models."""

    def __init__(self, temporary: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "emotone", "serve", "--port", str(port), "--workers", "1"]
        self.url = f"http://127.0.0.1:{port}/"
        environment = os.environ | {"TMPDIR": str(temporary)}
        self.process = subprocess.Popen(
            [*command, *options],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            try:
                if httpx.get(f"{self.url}ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


class Visit:
    """A browser on the page; remembers what it asked for and what went wrong."""

    def __init__(self, browser: Any, server: Server, **options: Any) -> None:
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(20_000)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        self.open(server.url)

    def open(self, url: str) -> None:
        """Go to the page and wait until its models are listed."""
        self.page.goto(url)
        self.page.wait_for_selector("#emotone-model option", state="attached")

    def text(self, name: str) -> str:
        """What an element says, with ordinary spaces."""
        found: str = self.page.inner_text(f"#emotone-{name}")
        return found.replace("\xa0", " ")

    def wait(self, name: str, text: str = "") -> None:
        """Wait for an element to be seen, and to have a text."""
        self.page.locator(f"#emotone-{name}").filter(has_text=text).wait_for()

    def upload(self, *paths: Path) -> None:
        """Choose files and wait until the first is drawn over time."""
        self.page.set_input_files("#emotone-file", list(paths))
        self.wait("course")

    def sample(self) -> None:
        """Choose the shorter sample and wait until it is drawn."""
        self.page.click("[data-sample='happiness.flac']")
        self.wait("course")

    def download(self, name: str) -> str:
        """The content behind a link."""
        with self.page.expect_download() as started:
            self.page.click(f"#emotone-{name}")
        part, _, kind = name.rpartition("-")
        assert started.value.suggested_filename == f"emotone{part and f'-{part}'}.{kind}"
        return Path(started.value.path()).read_text(encoding="utf-8")

    def tab_to(self, selector: str, times: int = 40) -> None:
        """Reach an element by the tabulator alone; it must show that it is reached."""
        for _ in range(times):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(one) => document.activeElement.matches(one)", selector):
                break
        else:
            raise AssertionError(f"{selector} is not reached by keyboard")
        ringed = """() => [document.activeElement, document.activeElement.closest("label")].some(
            (one) => one && getComputedStyle(one).outlineStyle === "solid")"""
        assert self.page.evaluate(ringed), selector
