"""The web page, mounted into the service with Gradio.

``page.js`` calls the service's own REST interface from the browser, so one set of limits applies to
all audio; Gradio's own upload paths are closed.
"""

import os
import tempfile
from pathlib import Path
from typing import cast

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import Mount

HERE = Path(__file__).parent
SYSTEM_FONTS = ["system-ui", "sans-serif"]  # Gradio's own would be loaded from Google
# the paths of Gradio's server that its page needs
NEEDED = ("/gradio_api/startup-events", "/gradio_api/heartbeat", "/gradio_api/info")
CLOSED = "/gradio_api"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "media-src 'self' blob:; worker-src 'self' blob:; frame-ancestors 'self'"
)


def is_closed(path: str) -> bool:
    """Whether a path is one of Gradio's that the page does not need."""
    return path.startswith(CLOSED) and not path.startswith(NEEDED)


def mount(app: FastAPI) -> None:
    """Put the page at ``/``, after all existing paths of the application.

    Errors are answered in the same way as those of the application.
    """
    app.mount("/page/samples", StaticFiles(directory=HERE / "samples"))
    with tempfile.TemporaryDirectory() as unused:  # for uploads, which are closed
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": unused}
        _mount(app)
    last = app.routes[-1]
    assert isinstance(last, Mount)
    gradio_app = cast(FastAPI, last.app)
    for error, handler in app.exception_handlers.items():
        gradio_app.add_exception_handler(error, handler)


def _mount(app: FastAPI) -> None:
    import gradio  # it reads the environment

    with gradio.Blocks(title="emotone", analytics_enabled=False) as blocks:
        gradio.Markdown(
            "# emotone\nRecognises emotion in speech with a small network on this server. "
            "It makes mistakes; do not use it to make decisions about people. "
            "[Use it from a program](docs)"
        )
        gradio.HTML(
            html_template=(HERE / "page.html").read_text(encoding="utf-8"),
            css_template=(HERE / "page.css").read_text(encoding="utf-8"),
            js_on_load=(HERE / "page.js").read_text(encoding="utf-8"),
        )
    theme = gradio.themes.Default(font=SYSTEM_FONTS, font_mono=["ui-monospace", "monospace"])
    gradio.mount_gradio_app(
        app, blocks, path="/", theme=theme, footer_links=[], run_history=False, ssr_mode=False
    )
