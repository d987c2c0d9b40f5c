"""The service under load: throughput, latency, overload and memory, compared with the recogniser.

The clients are one process and share the cores with the service. Each client sends its own file of
3 s and checks that each answer is its own.

    python benchmarks/serve.py [--quick]
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from recognition import SECONDS, write_files

import emotone

CORES = os.cpu_count() or 1
FILES = 32
CLIENTS = 16  # enough to keep the service busy
OVERLOAD = 2  # times the capacity
SHARE = 0.8  # of the capacity, where latency is measured


@dataclass
class Outcome:
    """The answers to a load."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    lost: int = 0
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers with a prediction per second."""
        return self.statuses[200] / self.seconds

    def percentile(self, share: float) -> float:
        """Latency of answers in milliseconds."""
        return 1000 * float(np.percentile(self.latencies, share))


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), FILES)
        sounds = [path.read_bytes() for path in paths]
        expected = [emotone.load().predict(path).label for path in paths]
        bare = bare_rate(paths, 2 if quick else 10)
        server, port = start()
        try:
            measure(server.pid, port, sounds, expected, bare, quick=quick)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


def measure(
    pid: int, port: int, sounds: list[bytes], expected: list[str], bare: float, *, quick: bool
) -> None:
    """Load the service and print the figures."""

    def load(seconds: float, rate: float | None = None) -> Outcome:
        return asyncio.run(loaded(port, sounds, expected, seconds, rate))

    first = load(3)
    after_few = memory_mb(pid)
    full = load(3 if quick else 20)
    steady = load(3 if quick else 20, SHARE * full.rate)
    over = load(5 if quick else 60, OVERLOAD * full.rate)
    answered = sum(sum(one.statuses.values()) for one in (first, full, steady, over))
    while answered < (0 if quick else 10_000):
        answered += sum(load(10).statuses.values())
    after_many = memory_mb(pid)
    print(f"\n## The service, {SECONDS:g} s WAV uploads, {CORES} cores shared with the clients\n")
    print("`python benchmarks/serve.py`\n")
    print("| figure | value |\n|---|---|")
    rows = {
        f"bare recogniser, {CORES} processes, files per second": f"{bare:.0f}",
        f"service at capacity ({CLIENTS} clients), answers per second": f"{full.rate:.0f}",
        "service / bare recogniser": f"{full.rate / bare:.2f}",
        f"latency at {SHARE:.0%} of capacity, ms, p50 / p95 / p99": " / ".join(
            f"{steady.percentile(share):.0f}" for share in (50, 95, 99)
        ),
        f"at {OVERLOAD} times capacity for {over.seconds:.0f} s: answers by status": ", ".join(
            f"{status}: {count}" for status, count in sorted(over.statuses.items())
        ),
        "the same: answers per second, p99 of them in ms": f"{over.rate:.0f}, "
        f"{over.percentile(99):.0f}",
        "requests without an answer / with that of another client, in all loads": " / ".join(
            str(sum(getattr(one, what) for one in (first, full, steady, over)))
            for what in ("lost", "wrong")
        ),
        f"memory of server and workers after {sum(first.statuses.values())} / {answered} "
        "requests, MB": f"{after_few:.0f} / {after_many:.0f} ({after_many / after_few - 1:+.1%})",
    }
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def bare_rate(paths: list[Path], seconds: float) -> float:
    """Files per second of recognisers in one process per core."""
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(_predict_for, [paths] * CORES, [0.5] * CORES))  # load
        return sum(pool.map(_predict_for, [paths] * CORES, [seconds] * CORES))


def _predict_for(paths: list[Path], seconds: float) -> float:
    recognizer, count, begin = emotone.load(), 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        recognizer.predict(paths[count % len(paths)])
        count += 1
    return count / (time.perf_counter() - begin)


def start() -> tuple[subprocess.Popen[bytes], int]:
    """Start the service; returns when it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "emotone", "serve", "--port", str(port)]
    command += ["--uploads", "1000", "--connections", "1000"]  # all clients have one address here
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready").close()
        except OSError:
            time.sleep(0.1)
        else:
            return server, port
    raise SystemExit("the service did not start")


async def loaded(
    port: int, sounds: list[bytes], expected: list[str], seconds: float, rate: float | None
) -> Outcome:
    """Send files for some seconds: as fast as answers come, or at a fixed rate."""
    outcome = Outcome()
    begin = time.perf_counter()
    end = begin + seconds

    async def client(number: int) -> None:
        connection = Connection(port)
        while time.perf_counter() < end:
            await one(connection, number)
        connection.close()

    async def one(connection: "Connection", number: int) -> None:
        sent = time.perf_counter()
        try:
            status, body = await asyncio.wait_for(connection.post(sounds[number]), 30)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            outcome.lost += 1
            connection.close()
            return
        outcome.statuses[status] += 1
        if status == 200:
            outcome.latencies.append(time.perf_counter() - sent)
            outcome.wrong += json.loads(body)["label"] != expected[number]

    if rate is None:
        await asyncio.gather(*(client(number % FILES) for number in range(CLIENTS)))
    else:
        idle: list[Connection] = []
        running: set[asyncio.Task[None]] = set()

        async def send(number: int) -> None:
            connection = idle.pop() if idle else Connection(port)
            await one(connection, number)
            idle.append(connection)

        count = 0
        while (now := time.perf_counter()) < end:
            while begin + count / rate <= now:
                task = asyncio.create_task(send(count % FILES))
                running.add(task)
                task.add_done_callback(running.discard)
                count += 1
            await asyncio.sleep(0.001)
        await asyncio.gather(*running)
        for connection in idle:
            connection.close()
    outcome.seconds = time.perf_counter() - begin
    return outcome


class Connection:
    """A persistent connection with the minimum of HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, sound: bytes) -> tuple[int, bytes]:
        """Upload a file; return status and body.

        The service closes idle connections, perhaps just when one is used again; the upload is
        then repeated on a new one, as HTTP clients do.
        """
        if self.streams is not None:
            try:
                return await self._post(*self.streams, sound)
            except ConnectionError:
                self.close()
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
                self.close()
        self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        return await self._post(*self.streams, sound)

    async def _post(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sound: bytes
    ) -> tuple[int, bytes]:
        head = (
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
            f"Content-Length: {len(sound)}\r\n\r\n"
        )
        writer.write(head.encode() + sound)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        (length,) = [int(line.split(":")[1]) for line in lines if line.startswith("content-length")]
        body = await reader.readexactly(length)
        if "connection: close" in lines:
            self.close()
        return int(lines[0].split()[1]), body

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children; pages that they share count in each."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for one in tasks for child in one.read_text().split()]
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in [pid, *children]]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
