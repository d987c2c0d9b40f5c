"""Malformed requests and live messages, drawn at random."""

import random
from urllib.parse import quote

from benchmarks.attack.mutations import mutated
from benchmarks.attack.service import TOKEN, request

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "X" * 5000, "ä", "")
PATHS = (
    "/", "/health", "/ready", "/metrics", "/docs", "/openapi.json", "/v1/models", "/v1/predict",
    "/v1/segments", "/v1/stream", "/page/samples/happiness.flac", "/page/samples/..%2f..%2fapp.py",
    "/page/samples/%00", "/gradio_api/upload", "/gradio_api/heartbeat/x", "/gradio_api/info",
    "/gradio_api/file=/etc/passwd", "/gradio_api/startup-events", "/config", "/theme.css",
    "/static/../../etc/passwd", "//", "/%ff", "/" + "a" * 70_000, "/v1/predict/", "*", "http://x/",
    "/gradio_api/queue/join", "/gradio_api/call/x", "/assets/%2e%2e/x", "/login", "/?x=%ff",
)  # fmt: skip
QUERIES = ("model", "threshold", "window", "hop", "rate", "format", "token", "x", "view", "__theme")
VALUES = (
    "nan", "inf", "-inf", "1e999", "-1", "0", "0.1", "60", "61", "1e-320", "", "x", "%ff", "%00",
    "../../etc/passwd", "emotone-8", "True", "9" * 5000, "1" * 60_000, "[]", "'", "<script>", "1_0",
    "１", "0x10",
)  # fmt: skip
HEADERS: dict[str, tuple[bytes, ...]] = {
    "Authorization": (
        b"Basic \xff", b"Basic !!!", b"Basic", b"Bearer \xff", b"Bearer", b"Basic OnjDvw==", b"",
        b"Basic " + b"A" * 50_000, b"Digest x", b"Basic \xc3\xbf", b"Basic 4pyT",
    ),
    "Content-Type": (
        b"multipart/form-data", b"multipart/form-data; charset=undefined", b"multipart/form-data; "
        b"boundary=x; charset=undefined", b"multipart/form-data; charset=idna; boundary=x",
        b"multipart/form-data; boundary=" + b"x" * 5000, b"multipart/form-data; boundary=\xff",
        b'multipart/form-data; boundary="', b"application/x-www-form-urlencoded", b"audio/",
        b"\xff", b"", b"text/plain; charset=rot13", b"video/mp4; codecs=\x00", b"audio/" * 2000,
        b"multipart/form-data; charset=punycode; boundary=x",
        b"multipart/form-data; charset=utf-16; boundary=x",
    ),
    "Content-Length": (b"-1", b"0", b"1", b"9" * 30, b"x", b"1, 1", b"", b"+5", "٣".encode(),
                       b"1e3", "²".encode(), "²".encode("latin-1")),
    "Transfer-Encoding": (b"chunked", b"chunked, chunked", b"gzip", b"x", b"identity", b"\xff"),
    "Host": (b"", b"evil.example", b"\xff", b"x" * 5000, b"[::1", b"127.0.0.1:99999", b"a b"),
    "Origin": (b"http://evil.example", b"null", b"\xff", b""),
    "Range": (b"bytes=0-", b"bytes=-1", b"bytes=9-1", b"bytes=" + b"0-1," * 5000, b"x", b"bytes="),
    "Accept-Encoding": (b"gzip;q=x", b"\xff", b"," * 5000),
    "Accept-Language": (b"\xff", b"de" * 9000),
    "Cookie": (b"=", b"\xff", b"a=b;" * 5000, b"access-token=x"),
    "Connection": (b"Upgrade", b"keep-alive, close", b"\xff", b"close" * 1000),
    "Upgrade": (b"websocket", b"h2c", b"\xff"),
    "Expect": (b"100-continue", b"x"),
    "X-Forwarded-For": (b"\xff", b"1.2.3.4", b"x" * 5000),
    "X-Forwarded-Host": (b"\xff", b"evil.example"),
    "X-Forwarded-Proto": (b"\xff", b"javascript"),
    "If-None-Match": (b"\xff", b"*"),
    "If-Modified-Since": (b"\xff", b"Thu, 99 Foo 99999 99:99:99 GMT"),
    "Sec-WebSocket-Key": (b"x", b"\xff"),
    "Sec-WebSocket-Version": (b"13", b"99", b"\xff"),
    "X" * 5000: (b"x",),
    "a b": (b"x",),
}  # fmt: skip
CHARSETS = (b"undefined", b"idna", b"punycode", b"rot13", b"hex", b"utf-16", b"x", b"\xff", b"")
PARTS = (
    b'Content-Disposition: form-data; name="file"; filename="a.wav"',
    b'Content-Disposition: form-data; name="file"',
    b"Content-Disposition: form-data; name=\xff; filename=\xff",
    b"Content-Disposition: form-data; filename*=utf-8''%ff; name=file",
    b"Content-Disposition: x",
    b'Content-Disposition: form-data; name="file"; filename="' + b"x" * 20_000 + b'"',
    b"Content-Type: audio/wav",
    b"X: " + b"x" * 20_000,
    b"",
)


def malformed(rng: random.Random, port: int, sounds: list[bytes]) -> bytes:
    """Return one request of which some part is malformed."""
    kind = rng.choice(("headers", "headers", "form", "query", "path", "bytes", "audio", "chunks"))
    sound = rng.choice(sounds)
    if kind == "headers":
        names = rng.sample(list(HEADERS), rng.choice((1, 1, 2, 3)))
        headers = {name: rng.choice(HEADERS[name]) for name in names}
        body = rng.choice((b"", sound))
        path = "/v1/predict" if "Content-Type" in names else rng.choice(PATHS[:12])
        return request(port, "POST" if body else "GET", path, body, headers)
    if kind == "form":
        return _form(rng, port, sound)
    if kind == "query":
        path = f"{rng.choice(('/v1/predict', '/v1/segments', '/v1/models', '/'))}?{query(rng)}"
        return request(port, "POST" if "1/" in path else "GET", path, sound)
    if kind == "path":
        method = rng.choice(METHODS)
        return request(port, method, rng.choice(PATHS), rng.choice((b"", sound)))
    if kind == "bytes":
        return mutated(rng, request(port, "POST", "/v1/predict", sound), sound)
    if kind == "audio":
        damaged = mutated(rng, sound, rng.choice(sounds))
        return request(port, "POST", rng.choice(("/v1/predict", "/v1/segments")), damaged)
    chunked = {"Transfer-Encoding": b"chunked", "Content-Type": b"audio/wav"}
    head = request(port, "POST", "/v1/predict", b"", chunked)
    sizes = (b"%x" % len(sound), b"ffffffffffffffff", b"-1", b"0", b"x", b"1;" + b"x" * 20_000)
    return head + rng.choice(sizes) + b"\r\n" + sound + b"\r\n0\r\n\r\n"


def _form(rng: random.Random, port: int, sound: bytes) -> bytes:
    """Return an upload as a form with odd or damaged parts."""
    body = b""
    for _part in range(rng.choice((0, 1, 1, 2, 200))):
        lines = rng.sample(PARTS, rng.choice((1, 2)))
        content = sound if len(body) < 100_000 else b"x"
        body += b"--x\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n"
    body += rng.choice((b"--x--\r\n", b"", b"--x\r\n", b"--y--\r\n"))
    if rng.random() < 0.3:
        body = mutated(rng, body, sound)
    kind = b"multipart/form-data; boundary=x"
    if rng.random() < 0.3:
        kind += b"; charset=" + rng.choice(CHARSETS)
    return request(port, "POST", "/v1/predict", body or b"x", {"Content-Type": kind})


def query(rng: random.Random) -> str:
    """Return odd parameters."""
    names = rng.sample(QUERIES, rng.choice((1, 2, 3)))
    return "&".join(f"{name}={quote(rng.choice(VALUES), safe='%')}" for name in names)


def live(rng: random.Random) -> tuple[str, list[str | bytes]]:
    """Return path and messages of a live stream of which some part is malformed."""
    rates = ("16000", "1000", "8000", "384000", "999", "0", "-1", "x", "9" * 30, "16000.5")
    given = {"token": TOKEN, "rate": rng.choice((rates[0], rng.choice(rates)))}
    if rng.random() < 0.5:
        given |= {"window": rng.choice(VALUES[:11]), "hop": rng.choice(VALUES[:11])}
    if rng.random() < 0.3:
        given |= {"format": rng.choice(("f32le", "s16le", "x", ""))}
    path = "&".join(f"{name}={quote(value)}" for name, value in given.items())
    messages: list[str | bytes] = []
    for _message in range(rng.choice((1, 2, 5, 30))):
        size = rng.choice((0, 1, 2, 3, 4, 3200, 32_000, 300_000))
        text = rng.choice(("end", "", "x", "{}", "END", "\0", "x" * 100_000))
        binary = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size),
                             b"\x00\x00\xc0\x7f" * (size // 4)))  # fmt: skip
        messages.append(rng.choice((binary, binary, binary, text)))
    if rng.random() < 0.5:
        messages.append("end")
    return f"/v1/stream?{path}", messages
