"""``GET /v1/stream``: how to open the WebSocket, for the OpenAPI document, which knows none."""

from typing import NoReturn

from fastapi import APIRouter

from emotone.serve import examples
from emotone.serve.errors import RefusedError
from emotone.serve.routes.stream import ParametersOf
from emotone.serve.schemas import STREAM_REFUSALS

DESCRIPTION = """\
Open it as a WebSocket, `ws://…` (or `wss://…` behind a proxy with TLS). Send samples, mono, as
binary messages, and the text `end` to finish. Receive a JSON object for each window as soon as it
is complete; one without speech has `null` in place of the answer:

```json
{"start": 0.0, "end": 3.0, "label": "happiness", "confidence": 0.8124, "confident": true,
 "probabilities": {"anger": 0.0911, "happiness": 0.8124, "neutral": 0.0652, "sadness": 0.0313}}
```

In Python (`pip install websockets`), with `pieces` of 16-bit samples:

```python
import json
from websockets.sync.client import connect

with connect("ws://127.0.0.1:8000/v1/stream?rate=16000") as socket:
    for piece in pieces:
        socket.send(piece)
    socket.send("end")
    for message in socket:
        print(json.loads(message))
```

In a browser, with `samples` as an `Int16Array`:

```js
const socket = new WebSocket("ws://127.0.0.1:8000/v1/stream?rate=16000");
socket.onopen = () => { socket.send(samples); socket.send("end"); };
socket.onmessage = ({ data }) => console.log(JSON.parse(data));
socket.onclose = ({ code, reason }) => console.log(code, reason);
```

With a token, send the header `Authorization: Bearer TOKEN`, or the parameter `token`. A stream that
is refused is opened and closed, with the reason:

| code | meaning |
|---|---|
| 1000 | all is answered after `end` |
| 1003 | something other than audio |
| 1008 | refused: token, parameters, name, origin, too many streams |
| 1009 | a message, or the stream, is too long |
| 1012 | the server stops |
| 1013 | no worker was free or able to work; try again |
| 4408 | idle |

A request that does not open a WebSocket is answered with status 426.
"""

router = APIRouter(tags=["Live audio"])


@router.get(
    "/v1/stream", summary="Recognise live audio (WebSocket)", description=DESCRIPTION,
    status_code=101, response_model=None,
    responses=STREAM_REFUSALS | {101: {"description": "The WebSocket is open."}},
)  # fmt: skip
async def stream(_: ParametersOf) -> NoReturn:
    """Say that this is a WebSocket."""
    raise RefusedError(
        426, "websocket", examples.REFUSED[426][1]["websocket"], {"Upgrade": "websocket"}
    )
