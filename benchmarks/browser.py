"""Measures the page of ``emotone export --web`` in headless Chromium, beside Python.

Run ``python benchmarks/browser.py`` on an idle machine; it needs Chromium and Playwright. Writes
``benchmarks/RESULTS-browser.md``: from the choice of a file of 3 seconds to the answer on the page.
"""

import functools
import http.server
import os
import re
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from playwright.sync_api import sync_playwright

import emotone
from emotone.audio import SAMPLE_RATE
from emotone.corpora import synthetic
from emotone.inference.model_folder import MODELS
from emotone.publishing.web import write_page

OUT = Path(__file__).parent / "RESULTS-browser.md"
SECONDS = 3
RATES = (16_000, 44_100, 48_000)
TIMES = 25
INTRODUCTION = f"""# In the browser

`python benchmarks/browser.py`: a WAV file of {SECONDS} s, from its choice to the answer on the page of `emotone export emotone-base --web`, in headless Chromium, ONNX Runtime Web with one
thread; and the same file by `Recognizer.predict`. Milliseconds, of {TIMES} runs in turn.

| rate, Hz | browser, median | browser, slowest | Python, median |
|---|---|---|---|"""  # noqa: E501


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A static server, such as ``python -m http.server``."""

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def speech(folder: Path) -> dict[int, Path]:
    """Write a file of synthetic speech at each rate."""
    parts = [synthetic.utterance(number, "anger", 0) for number in range(9)]
    samples = np.concatenate(parts)[: SECONDS * SAMPLE_RATE]
    found = {}
    for rate in RATES:
        found[rate] = folder / f"{rate}.wav"
        soundfile.write(found[rate], soxr.resample(samples, SAMPLE_RATE, rate), rate)
    return found


def in_browser(page: Any, file: Path) -> float:
    """Milliseconds from choice to answer, as the page counts and says them."""
    page.set_input_files("#emotone-file", file)
    page.wait_for_selector("#emotone-answer:not([hidden])")
    page.wait_for_function("document.querySelector('#emotone-status').textContent.endsWith(' ms.')")
    (milliseconds,) = re.findall(r"in (\d+) ms\.", page.inner_text("#emotone-status"))
    return float(milliseconds)


def in_python(recognizer: emotone.Recognizer, file: Path) -> float:
    """Milliseconds of a call."""
    start = time.perf_counter()
    recognizer.predict(file)
    return 1000 * (time.perf_counter() - start)


def measured(page: Any, files: dict[int, Path]) -> list[str]:
    """Return a row for each rate."""
    recognizer = emotone.load()
    taken: dict[int, list[tuple[float, float]]] = {rate: [] for rate in files}
    for number in range(1 + TIMES):
        for rate, file in files.items():
            pair = in_browser(page, file), in_python(recognizer, file)
            if number:  # the first is a warm-up
                taken[rate].append(pair)
    rows = []
    for rate, pairs in taken.items():
        browser, python = zip(*pairs, strict=True)
        median = statistics.median
        rows.append(
            f"| {rate} | {median(browser):.0f} | {max(browser):.0f} | {median(python):.0f} |"
        )
    return rows


def main() -> None:
    """Measure, and write the page."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_page(MODELS / "emotone-base", root / "page")
        handler = functools.partial(Quiet, directory=str(root / "page"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=flags
            )
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_selector("#emotone-file:not([disabled])")
            rows = measured(page, speech(root))
            browser.close()
        server.shutdown()
    load = f"Load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    OUT.write_text("\n".join([INTRODUCTION, *rows, "", load]) + "\n", encoding="utf-8")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
