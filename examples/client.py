"""Use a running `emotone serve`: whole files, windows and live audio.

pip install httpx2 websockets soundfile
python examples/client.py call.wav [--url http://127.0.0.1:8000] [--token TOKEN]
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import soundfile
from websockets.sync.client import connect

PIECE_S = 0.1  # of live audio in one message


def main() -> None:
    """Recognise one file in each way that the service offers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token")
    asked = parser.parse_args()
    headers = {"Authorization": f"Bearer {asked.token}"} if asked.token else {}
    with httpx.Client(base_url=asked.url, headers=headers, timeout=60) as client:
        whole = ask(client, "/v1/predict", asked.file)
        print(whole["label"], whole["confidence"], "" if whole["confident"] else "not sure")
        for one in ask(client, "/v1/segments?window=3&hop=1", asked.file)["segments"]:
            print(one["start"], one["end"], one["label"])
    samples, rate = soundfile.read(asked.file, dtype="float32", always_2d=True)
    address = f"{asked.url.replace('http', 'ws', 1)}/v1/stream?rate={rate}&format=f32le"
    with connect(address, additional_headers=headers) as socket:
        piece = round(PIECE_S * rate)
        mono = samples.mean(axis=1)
        for start in range(0, len(mono), piece):  # a microphone would give them one by one
            socket.send(mono[start : start + piece].tobytes())
        socket.send("end")
        for message in socket:
            one = json.loads(message)
            print("live", one["start"], one["end"], one["label"])


def ask(client: httpx.Client, path: str, file: Path) -> dict[str, Any]:
    """Upload a file; wait and try again while the service is busy."""
    while True:
        answer = client.post(path, files={"file": file.read_bytes()})
        if answer.status_code in (429, 503):
            time.sleep(float(answer.headers["Retry-After"]))
            continue
        if answer.is_error:
            error = answer.json()["error"]
            raise SystemExit(f"{file}: {error['message']}; {error['hint']}")
        found: dict[str, Any] = answer.json()
        return found


if __name__ == "__main__":
    main()
