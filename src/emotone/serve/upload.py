"""The audio file in a request: the field ``file`` of a form, or the whole body."""

import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from emotone.serve.errors import RefusedError
from emotone.serve.schemas import NEUTRAL

log = logging.getLogger("emotone.serve")

RAW = ("audio/", "video/", "application/octet-stream")
FORM = "multipart/form-data"
ONE_FILE = "send one file, in the field 'file'; other fields are text, such as -F 'turns=[…]'"
CHUNK_BYTES = 2**18


def _body(**fields: str) -> dict[str, Any]:
    """Return the body of a request with audio and text fields, for the OpenAPI document."""
    texts = {name: {"type": "string", "description": text} for name, text in fields.items()}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}} | texts,
    }
    raw = {"schema": {"type": "string", "format": "binary"}}
    content = {FORM: {"schema": form}, "audio/wav": raw, "application/octet-stream": raw}
    return {"requestBody": {"required": True, "content": content}}


BODY = _body(neutral=NEUTRAL)
BODY_OF_CALL = _body(
    turns="JSON array of turns, objects with start and end in seconds, speaker and, if it is "
    "known, channel from 1. Without, a turn ends where its speaker pauses."
)


async def text_in(request: Request, field: str) -> str | None:
    """Return a text field of the form of a request whose file is stored; ``None`` without.

    Raises:
        RefusedError: if it is a file.
    """
    value = (await request.form()).get(field) if _kind(request) == FORM else None
    if isinstance(value, UploadFile):
        raise RefusedError(422, "invalid", f"the field '{field}' is a file; send it as text")
    return value


@asynccontextmanager
async def stored(request: Request) -> AsyncIterator[Path]:
    """Put the file of a request into the temporary folder; it is gone at the end.

    Raises:
        RefusedError: if there is none, or no place for it.
    """
    path = None
    try:
        try:
            with tempfile.NamedTemporaryFile(prefix="emotone-", delete=False) as file:
                path = Path(file.name)
                async for chunk in chunks(request):
                    file.write(chunk)
        except OSError as error:
            log.error("uploads cannot be stored: %s", error)
            text = f"the server cannot store the upload: {error.strerror or error}"
            raise RefusedError(507, "disk_full", text) from error
        yield path
    finally:
        if path is not None:
            with suppress(OSError):
                path.unlink()


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield the file in a request, chunk by chunk.

    Raises:
        RefusedError: if there is none.
    """
    kind = _kind(request)
    if kind == FORM:
        try:
            form = await request.form(max_files=1, max_fields=10)
        except (MultipartParseError, HTTPException, LookupError, ValueError) as error:
            # the latter two of a charset that does not exist, or that is not one
            detail = error.detail if isinstance(error, HTTPException) else error
            text = f"the form cannot be read: {detail}"
            raise RefusedError(400, "invalid", text, hint=ONE_FILE) from error
        try:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise RefusedError(422, "invalid", "the form has no file in the field 'file'")
            while chunk := await file.read(CHUNK_BYTES):
                yield chunk
        finally:
            await form.close()
    elif kind.startswith(RAW):
        async for chunk in request.stream():
            yield chunk
    else:
        raise RefusedError(
            415, "unsupported_media_type", f"Content-Type {kind or 'is missing'} is not audio"
        )


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
