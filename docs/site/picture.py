"""Makes docs/page.png: the page of `emotone serve` with a synthetic sample, on a laptop.

python docs/site/picture.py URL   # of a running emotone serve; needs Chromium
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parents[1] / "page.png"
COLOURS = 256  # that the picture is reduced to


def main(url: str) -> None:
    """Draw the page after both samples were recognised, in the middle of one."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto(url)
        page.wait_for_selector("#emotone-model option", state="attached")
        page.click("[data-sample='happiness.flac']")
        page.wait_for_selector("#emotone-course:not([hidden])")
        page.click("[data-sample='four-manners.flac']")
        page.locator("#emotone-about").filter(has_text="Four manners").wait_for()
        page.wait_for_selector("#emotone-course:not([hidden])")
        page.focus("#emotone-timeline")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.evaluate("document.activeElement.blur()")
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        picture.convert("RGB").quantize(COLOURS, kmeans=1).save(PICTURE, optimize=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
