"""The state that the endpoints share, and the answer to an upload."""

import tempfile
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect, HTTPConnection

from emotone.errors import AudioError, UsageError
from emotone.inference.worker import CrashedError, TimeLimitError
from emotone.serve.errors import RefusedError
from emotone.serve.live import Live
from emotone.serve.metrics import Metrics
from emotone.serve.options import ServeOptions
from emotone.serve.upload import chunks
from emotone.serve.workers import BusyError, Job, TooLongError, Workers


class Service:
    """Workers, live streams, metrics, and the requests that wait."""

    def __init__(self, options: ServeOptions) -> None:
        self.options = options
        self.metrics = Metrics()
        self.live = Live(options)
        self.workers: Workers | None = None
        self.waiting = 0

    def start(self) -> None:
        """Load the models; returns when all workers are ready."""
        self.workers = Workers(
            self.options.models, self.options.workers, self.options.seconds, self.options.threshold
        )

    def stop(self) -> None:
        """End the workers."""
        if self.workers is not None:
            self.workers.close()

    async def recognise(
        self,
        request: Request,
        model: str | None,
        windows: tuple[float, float] | None,
        threshold: float | None,
    ) -> dict[str, Any]:
        """Answer a request with audio.

        Args:
            request: with an audio file, see :mod:`emotone.serve.upload`.
            model: name of a model; ``None`` for the default.
            windows: window and hop in seconds; ``None`` to recognise the file as a whole.
            threshold: probability from which the answer is confident; ``None`` for the default.

        Raises:
            RefusedError: if there is no answer.
        """
        workers, options = self.workers, self.options
        assert workers is not None
        name = model or options.models[0]
        if name not in workers.models:
            raise RefusedError(404, "unknown_model", f"there is no model {name!r} here")
        if self.waiting >= options.queue + options.workers:
            raise RefusedError(503, "busy", "too many requests are waiting")
        self._count(1)
        try:
            answer = await self._answer(request, workers, name, windows, threshold)
        finally:
            self._count(-1)
            self.metrics.restarts.set(workers.restarts)
        self.metrics.audio.inc(answer["seconds"])
        return answer

    async def _answer(
        self,
        request: Request,
        workers: Workers,
        model: str,
        windows: tuple[float, float] | None,
        threshold: float | None,
    ) -> dict[str, Any]:
        with tempfile.NamedTemporaryFile(prefix="emotone-") as file:
            try:
                async for chunk in chunks(request):
                    file.write(chunk)
                file.flush()
                return await workers.recognise(
                    Job(model, file.name, 60 * self.options.minutes, windows, threshold)
                )
            except ClientDisconnect as error:
                raise RefusedError(400, "incomplete", "the upload was interrupted") from error
            except AudioError as error:
                message = str(error).replace(file.name, "the upload")
                raise RefusedError(400, "not_audio", message) from error
            except (CrashedError, TimeLimitError) as error:
                message = f"the upload cannot be decoded: {error}"
                raise RefusedError(400, "not_audio", message) from error
            except TooLongError as error:
                raise RefusedError(413, "too_large", str(error)) from error
            except BusyError as error:
                raise RefusedError(503, "busy", str(error)) from error
            except UsageError as error:
                raise RefusedError(422, "invalid", str(error)) from error

    def _count(self, change: int) -> None:
        self.waiting += change
        self.metrics.waiting.set(self.waiting)


def service_of(connection: HTTPConnection) -> Service:
    """Return the service of the application that received a request."""
    service: Service = connection.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]
