"""A running ``emotone serve``, and a client that may send anything."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.attack.processes import environment

TOKEN = "attacked-token"
HOST, ATTACKER = "127.0.0.1", "127.0.0.2"  # addresses of honest and of hostile clients
ANSWER_S = 2.0  # how long to wait for the answer to a malformed request
START_S = 60.0
IDLE_S, SECONDS = 3.0, 5.0  # limits of the service
LIMITS = ["--workers", "2", "--idle-s", f"{IDLE_S}", "--seconds", f"{SECONDS}", "--upload-mb", "5"]


@dataclass
class Service:
    """A service in a process of its own, with a token and narrow limits.

    Args:
        folder: for its log.
        largest_file: bytes of the largest file that it can write, as on a full disk.
    """

    folder: Path
    largest_file: int | None = None
    peaks_mb: dict[int, float] = field(default_factory=dict)

    def __enter__(self) -> "Service":
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port: int = free.getsockname()[1]
        self._log = (self.folder / f"serve-{self.port}.log").open("w+b")
        command = ["serve", "--port", str(self.port), "--token", TOKEN, *LIMITS]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emotone", *command], stdout=subprocess.DEVNULL,
            stderr=self._log, env=environment(), preexec_fn=self._limited, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + START_S
        while not self._is_ready():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"the service does not start:\n{self.log()}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def _limited(self) -> None:
        if self.largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest_file, self.largest_file))

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 5) as one:
            one.sendall(f"GET /ready HTTP/1.0\r\nHost: {HOST}:{self.port}\r\n\r\n".encode())
            return b" 200 " in one.recv(64)
        return False

    def log(self) -> str:
        """Return what it has written to standard error."""
        return Path(self._log.name).read_text(errors="replace")

    def workers(self) -> list[int]:
        """Return the processes that recognise."""
        return [pid for pid in _children(self.process.pid)
                if b"resource_tracker" not in _read(pid, "cmdline")]  # fmt: skip

    def watch_memory(self) -> None:
        """Note the memory of all processes."""
        for pid in (self.process.pid, *self.workers()):
            for line in _read(pid, "status").splitlines():
                if line.startswith(b"VmHWM"):
                    self.peaks_mb[pid] = int(line.split()[1]) * 1024 / 1e6

    def cpu_s(self) -> float:
        """Return the processor time of all processes so far."""
        ticks = 0
        for pid in (self.process.pid, *self.workers()):
            fields = _read(pid, "stat").rpartition(b") ")[2].split()
            ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    async def send(
        self, data: bytes, *, source: str = ATTACKER, limit_s: float = ANSWER_S
    ) -> tuple[int, bytes]:
        """Send bytes; return the status of the answer and all of it, 0 if there is none in time."""
        answer = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(limit_s):
                reader, writer = await self.connected(source)
                with contextlib.closing(writer):
                    with contextlib.suppress(ConnectionError):
                        writer.write(data)
                        await writer.drain()
                    while part := await reader.read(1 << 16):
                        answer += part
        words = answer[:32].split(b" ")
        return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), answer

    async def connected(
        self, source: str = ATTACKER
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection from an address."""
        return await asyncio.open_connection(HOST, self.port, local_addr=(source, 0))


def request(
    port: int, method: str, path: str, body: bytes = b"", headers: dict[str, bytes] | None = None
) -> bytes:
    """Return a valid request with the token; ``headers`` are added or replace its own."""
    given = {
        "Host": f"{HOST}:{port}".encode(),
        "Authorization": b"Bearer " + TOKEN.encode(),
        "Connection": b"close",
        **({"Content-Type": b"audio/wav", "Content-Length": b"%d" % len(body)} if body else {}),
    } | (headers or {})
    lines = [f"{method} {path} HTTP/1.1".encode("latin-1")]
    lines += [name.encode("latin-1") + b": " + value for name, value in given.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def _read(pid: int, file: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{file}").read_bytes()
    return b""
