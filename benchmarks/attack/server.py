"""The service under malformed requests, load and kills, while an honest client must be answered."""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Origin

from benchmarks.attack import material, requests
from benchmarks.attack.outcome import LIMIT_MB, LIMIT_S, Fault, Plan, tracebacks
from benchmarks.attack.service import ATTACKER, HOST, IDLE_S, TOKEN, Service, request

REQUESTS, STREAMS, KILLS = 4000, 200, 6
AT_ONCE = 20
HONEST_S = 0.3  # between two honest requests
SLOW_S = 25.0  # how long slow clients go on
ANSWERED_S = 10.0  # for all messages of a malformed stream
SLACK_S = 6.0  # beyond a limit of the service
INTERNAL = 1011  # close code of a WebSocket after an error of the server
ALLOWED = (501, 503, 505, 507)  # statuses from 500 that are no error of the program
LARGE = 300_000  # bytes of the message that fills the memory


@dataclass
class Honest:
    """A client that sends a recording over and over, and expects its answer."""

    service: Service
    sound: bytes
    label: str = ""
    answered: int = 0
    faults: list[Fault] = field(default_factory=list)

    async def go_on(self) -> None:
        """Send until cancelled."""
        while True:
            await self.once()
            self.service.watch_memory()
            await asyncio.sleep(HONEST_S)

    async def once(self) -> None:
        """Send, and again while the service is busy."""
        service, start = self.service, time.monotonic()
        data = request(service.port, "POST", "/v1/predict", self.sound)
        statuses = []
        while (left_s := LIMIT_S - (time.monotonic() - start)) > 0:
            status, answer = await service.send(data, source=HOST, limit_s=left_s)
            statuses.append(status)
            if status == 200:
                label = json.loads(answer.partition(b"\r\n\r\n")[2])["label"]
                self.label = self.label or label
                self.answered += 1
                if label != self.label:
                    self.faults.append(Fault("lost data", f"{label} instead of {self.label}"))
                return
            if status not in (0, 503):
                break
            await asyncio.sleep(0.5)
        kind = "over 20 s" if statuses[-1] in (0, 503) else "lost data"
        self.faults.append(Fault(kind, f"an honest request got {statuses[-3:]}"))


def attack(plan: Plan) -> None:
    """Run all attacks on two services: one as usual, one with a full disk."""
    made = material.containers()
    sounds = [made[name][1] for name in ("wav", "flac", "mp3", "m4a", "ogg")]
    plan.tally.planned = plan.count(REQUESTS) + plan.count(STREAMS) + plan.count(KILLS) + 9
    with Service(plan.folder) as service:
        asyncio.run(_attacked(plan, service, sounds))
        plan.tried("log", *tracebacks(service.log()))
    if plan.wants("full-disk"):
        with Service(plan.folder, largest_file=200_000) as service:
            asyncio.run(_full_disk(plan, service))


async def _attacked(plan: Plan, service: Service, sounds: list[bytes]) -> None:
    honest = Honest(service, sounds[0])
    await honest.once()
    going_on = asyncio.create_task(honest.go_on())
    end = plan.end - 2 * SLOW_S  # the rest is for what needs its time
    for prefix, number, one in (
        ("http", plan.count(REQUESTS), _malformed(service, sounds, plan.seed)),
        ("live", plan.count(STREAMS), _live(service, plan.seed)),
    ):
        names = [f"{prefix}/{place}" for place in range(number)]
        await _at_once(plan, end, filter(plan.wants, names), one)
    singles: dict[str, Callable[[Service], Awaitable[list[Fault]]]] = {
        "foreign-origin": _foreign_origin,
        "foreign-host": _foreign_host,
        "memory": _memory,
        **{f"kill/{place}": _killed(plan.seed, place) for place in range(plan.count(KILLS))},
    }
    for name, single in singles.items():
        if plan.wants(name):
            plan.tried(name, *await single(service))
    slow = {"slow-headers": _slow_headers, "slow-uploads": _slow_uploads, "empty": _empty}
    wanted = [name for name in slow if plan.wants(name)]
    for name, faults in zip(wanted, await asyncio.gather(*(slow[name](service) for name in wanted)),
                            strict=True):  # fmt: skip
        plan.tried(name, *faults)
    going_on.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await going_on
    await honest.once()
    plan.tried("honest", *honest.faults)
    peak = max(service.peaks_mb.values(), default=0.0)
    plan.tried("peak", *[Fault("over 1 GB", f"{peak:.0f} MB in a process")] * (peak > LIMIT_MB))
    if plan.wants("end"):
        plan.tried("end", *await _end(service))


async def _at_once(
    plan: Plan, end: float, names: Iterable[str], one: Callable[[str], Awaitable[list[Fault]]]
) -> None:
    remaining = iter(names)

    async def work() -> None:
        for name in remaining:
            if time.monotonic() > end:
                return
            plan.tried(name, *await one(name))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def _status_faults(status: int) -> list[Fault]:
    bad = status >= 500 and status not in ALLOWED
    return [Fault("HTTP 500", f"status {status}")] if bad else []


def _malformed(
    service: Service, sounds: list[bytes], seed: int
) -> Callable[[str], Awaitable[list[Fault]]]:
    async def one(name: str) -> list[Fault]:
        rng = random.Random(f"{seed}/{name}")
        status, _ = await service.send(requests.malformed(rng, service.port, sounds))
        return _status_faults(status)

    return one


def _live(service: Service, seed: int) -> Callable[[str], Awaitable[list[Fault]]]:
    async def one(name: str) -> list[Fault]:
        path, messages = requests.live(random.Random(f"{seed}/{name}"))
        try:
            async with asyncio.timeout(ANSWERED_S), _stream(service, path) as socket:
                with contextlib.suppress(WebSocketException):
                    for message in messages:
                        await socket.send(message)
                    while True:
                        await socket.recv()
        except InvalidStatus as refused:
            return _status_faults(refused.response.status_code)
        except (TimeoutError, OSError, WebSocketException):
            return []
        code, reason = socket.close_code, socket.close_reason
        return [Fault("HTTP 500", f"close code {code} {reason}")] if code == INTERNAL else []

    return one


def _stream(service: Service, path: str, origin: str | None = None) -> connect:
    address = f"ws://{HOST}:{service.port}"
    return connect(
        f"{address}{path}", origin=Origin(origin or address.replace("ws", "http")),
        local_addr=(ATTACKER, 0), open_timeout=LIMIT_S, close_timeout=1,
    )  # fmt: skip


async def _foreign_origin(service: Service) -> list[Fault]:
    """Another web page must not use the visitor's browser."""
    path = f"/v1/stream?rate=16000&token={TOKEN}"
    try:
        async with (
            asyncio.timeout(LIMIT_S),
            _stream(service, path, "http://evil.example") as socket,
        ):
            await socket.send(bytes(96_000))
            await socket.send("end")
            await socket.recv()
    except (WebSocketException, OSError, TimeoutError):
        return []
    return [Fault("other", "a WebSocket of a foreign Origin is answered")]


async def _foreign_host(service: Service) -> list[Fault]:
    headers = {"Host": b"evil.example"}
    status, _ = await service.send(request(service.port, "GET", "/v1/models", b"", headers))
    return [Fault("other", "a foreign Host is answered")] if status == 200 else []


async def _memory(service: Service) -> list[Fault]:
    """Send one message that is a great many overlapping windows, and leave."""
    path = f"/v1/stream?rate=1000&window=60&hop=0.1&token={TOKEN}"
    with contextlib.suppress(WebSocketException, OSError, TimeoutError):
        async with asyncio.timeout(SLACK_S), _stream(service, path) as socket:
            await socket.send(bytes(LARGE))
            while True:
                await socket.recv()
                service.watch_memory()
    await asyncio.sleep(SLACK_S)
    service.watch_memory()
    before = service.cpu_s()
    await asyncio.sleep(3)
    used = (service.cpu_s() - before) / 3
    found = []
    if used > 0.8:  # an honest request now and then takes less
        found.append(Fault("other", f"works on, at {used:.0%}, after the client has left"))
    if (peak := max(service.peaks_mb.values(), default=0.0)) > LIMIT_MB:
        found.append(Fault("over 1 GB", f"{peak:.0f} MB after one message"))
    return found


def _killed(seed: int, place: int) -> Callable[[Service], Awaitable[list[Fault]]]:
    """Kill the workers while they recognise; the client must not be told that its file is bad."""

    async def killed(service: Service) -> list[Fault]:
        rng = random.Random(f"{seed}/kill/{place}")
        sound = material.long_speech()
        sent = asyncio.create_task(
            service.send(request(service.port, "POST", "/v1/predict", sound), limit_s=LIMIT_S)
        )
        await asyncio.sleep(rng.uniform(0.02, 0.3))
        for pid in service.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status, answer = await sent
        if status in (200, 503):
            return []
        reason = answer.partition(b"\r\n\r\n")[2][:100].decode(errors="replace")
        kind = "HTTP 500" if status >= 500 else "lost data"
        return [Fault(kind, f"status {status} after a kill: {reason}")]

    return killed


async def _slow(service: Service, head: bytes, what: str) -> list[Fault]:
    """Open forty connections that send a byte a second."""

    async def one() -> bool:
        with contextlib.suppress(OSError):
            reader, writer = await service.connected()
            with contextlib.closing(writer):
                writer.write(head)
                end = time.monotonic() + SLOW_S
                while time.monotonic() < end:
                    writer.write(b"x")
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1), 1)
                        return False
                return True
        return False

    left = sum(await asyncio.gather(*(one() for _ in range(40))))
    return [Fault("other", f"{left} {what} are still open after {SLOW_S:.0f} s")] if left else []


async def _slow_headers(service: Service) -> list[Fault]:
    return await _slow(service, b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX: ", "slow headers")


async def _slow_uploads(service: Service) -> list[Fault]:
    headers = {"Content-Length": b"1000000"}
    head = request(service.port, "POST", "/v1/predict", b"x", headers)
    return await _slow(service, head, "slow uploads")


async def _empty(service: Service) -> list[Fault]:
    """Send empty messages only; they are no audio and must not keep a stream open."""
    start = time.monotonic()
    with contextlib.suppress(WebSocketException, OSError):
        async with _stream(service, f"/v1/stream?rate=16000&token={TOKEN}") as socket:
            while time.monotonic() - start < IDLE_S + SLACK_S:
                await socket.send(b"")
                await asyncio.sleep(0.5)
            return [Fault("other", f"empty messages keep a stream open for {SLACK_S:.0f} s more")]
    return []


async def _end(service: Service) -> list[Fault]:
    """Ask the service to end while a page, a stream and an idle connection are open."""
    page = request(
        service.port, "GET", "/gradio_api/heartbeat/x", b"", {"Connection": b"keep-alive"}
    )
    opened = [await service.connected(HOST) for _ in range(2)]
    opened[0][1].write(page)
    with contextlib.suppress(WebSocketException, OSError):
        socket: ClientConnection = await _stream(service, f"/v1/stream?rate=16000&token={TOKEN}")
        await socket.send(bytes(3200))
    await asyncio.sleep(1)
    service.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + LIMIT_S
    while service.process.poll() is None and time.monotonic() < end:
        await asyncio.sleep(0.1)
    for _, writer in opened:
        writer.close()
    return [] if service.process.poll() is not None else [
        Fault("over 20 s", "SIGTERM does not end it while a page is open")
    ]  # fmt: skip


async def _full_disk(plan: Plan, service: Service) -> None:
    sound, found = material.long_speech(), []
    form = {"Content-Type": b"multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + sound
    for data in (
        request(service.port, "POST", "/v1/predict", sound),
        request(service.port, "POST", "/v1/predict", body + b"\r\n--x--\r\n", form),
    ):
        status, _ = await service.send(data, limit_s=LIMIT_S)
        found += _status_faults(status) or ([Fault("other", "no answer")] if not status else [])
    plan.tried("full-disk", *found)
