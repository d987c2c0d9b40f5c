"""The state that the endpoints share, and the answer to an upload."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect, HTTPConnection

from emotone.errors import AudioError, NoSpeechError, OutsideError, UsageError
from emotone.inference.calls import call_options
from emotone.inference.listening import CallOptions
from emotone.inference.neutral import Answers
from emotone.inference.recognizer import Recognizer
from emotone.inference.worker import CrashedError, TimeLimitError
from emotone.serve.errors import RefusedError, of_audio
from emotone.serve.limits import Share, check_overlap, given_neutral, given_turns
from emotone.serve.metrics import Metrics
from emotone.serve.options import ServeOptions
from emotone.serve.upload import stored, text_in
from emotone.serve.workers import BusyError, Job, TooLongError, Workers


@dataclass(frozen=True)
class Asked:
    """What a request with audio asks for.

    Attributes:
        model: name of a model; ``None`` for the default.
        threshold: probability from which the answer is confident; ``None`` for the default.
        only: emotions to choose among, with commas; ``None`` for all.
        windows: window and hop in seconds; ``None`` to recognise the file as a whole, or in turns.
        channels: ``mix`` or ``split`` for a call; ``None`` if it is none.
    """

    model: str | None
    threshold: float | None
    only: str | None
    windows: tuple[float, float] | None = None
    channels: str | None = None


class Service:
    """Workers, metrics, the shares of clients, and the requests that wait."""

    def __init__(self, options: ServeOptions) -> None:
        self.options = options
        self.metrics = Metrics()
        self.uploads, self.streams = Share(options.uploads), Share(options.streams)
        self.connections = Share(options.connections)
        self.workers: Workers | None = None
        self.waiting = 0

    def start(self) -> None:
        """Load the models; returns when all workers are ready."""
        workers = self.workers = Workers(
            self.options.models, self.options.workers, self.options.seconds, self.options.threshold
        )
        self.metrics.restarts.set_function(lambda: workers.restarts)

    def stop(self) -> None:
        """End the workers."""
        if self.workers is not None:
            self.workers.close()

    async def recognise(self, request: Request, asked: Asked) -> dict[str, Any]:
        """Answer a request with audio, see :mod:`emotone.serve.upload`.

        Raises:
            RefusedError: if there is no answer.
        """
        workers, options = self.workers, self.options
        assert workers is not None
        name = asked.model or options.models[0]
        if name not in workers.models:
            raise RefusedError(404, "unknown_model", f"there is no model {name!r} here")
        try:
            workers.models[name].with_only(asked.only)  # before the upload is read
        except UsageError as error:
            raise RefusedError(422, "invalid", str(error)) from error
        if asked.windows is not None:
            check_overlap(*asked.windows, options)
        self._check_queue()
        try:
            async with stored(request) as path:
                self._check_queue()  # those who are still sending do not wait in it
                job = Job(
                    name, str(path), 60 * options.minutes, asked.windows, asked.threshold,
                    asked.only, await self._call(request, asked),
                    await self._neutral(request, workers.models[name], asked),
                )  # fmt: skip
                answer = await self._answer(request, workers, job)
        except ClientDisconnect as error:
            raise RefusedError(400, "incomplete", "the upload was interrupted") from error
        self.metrics.audio.inc(answer["seconds"])
        return answer

    async def _call(self, request: Request, asked: Asked) -> CallOptions | None:
        """Return how to recognise a request as a call; its file is stored."""
        if asked.channels is None:
            return None
        text = await text_in(request, "turns")
        turns = None if text is None else given_turns(text, self.options)
        try:
            return call_options(asked.channels, turns, asked.windows, "")
        except UsageError as error:
            raise RefusedError(422, "invalid", str(error)) from error

    async def _neutral(self, request: Request, recognizer: Recognizer, asked: Asked) -> Answers:
        """Return the answers to neutral speech in a request whose file is stored."""
        text = await text_in(request, "neutral")
        if text is not None and asked.channels is not None:
            text = "neutral: a call has several speakers, and this is of one; leave it out"
            raise RefusedError(422, "invalid", text)
        return given_neutral(text, recognizer)

    async def _answer(self, request: Request, workers: Workers, job: Job) -> dict[str, Any]:
        self._count(1)
        try:
            return await _while_connected(request, workers.recognise(job), Path(job.path))
        except NoSpeechError as error:
            raise of_audio(error, job.path, "no_speech") from error
        except OutsideError as error:
            raise of_audio(error, job.path, "invalid", 422) from error
        except AudioError as error:
            raise of_audio(error, job.path, "not_audio") from error
        except (CrashedError, TimeLimitError) as error:
            message = f"the upload cannot be decoded: {error}"
            raise RefusedError(400, "not_audio", message) from error
        except TooLongError as error:
            raise RefusedError(413, "too_large", str(error)) from error
        except BusyError as error:
            raise RefusedError(503, "busy", str(error)) from error
        except UsageError as error:
            raise RefusedError(422, "invalid", str(error)) from error
        finally:
            self._count(-1)

    def _check_queue(self) -> None:
        if self.waiting >= self.options.queue + self.options.workers:
            raise RefusedError(503, "busy", "too many requests are waiting")

    def _count(self, change: int) -> None:
        self.waiting += change
        self.metrics.waiting.set(self.waiting)


async def _while_connected(
    request: Request, work: Coroutine[Any, Any, dict[str, Any]], file: Path
) -> dict[str, Any]:
    """Wait for work on a file; if the client leaves, it ends, since its file is gone.

    Raises:
        ClientDisconnect: if the client has left.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            file.unlink(missing_ok=True)
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait([working, leaving])


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def service_of(connection: HTTPConnection) -> Service:
    """Return the service of the application that received a request."""
    service: Service = connection.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]
