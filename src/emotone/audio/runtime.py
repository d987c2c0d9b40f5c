"""ONNX Runtime without telemetry.

Since 1.29 its Linux and macOS builds upload usage events, with hashes of the model and a permanent
identifier of the device, unless ``ORT_DISABLE_TELEMETRY`` is set when it is loaded. They contain no
audio, but a program that works offline should not connect to anyone. If another module has loaded
ONNX Runtime before, the variable has no effect; the events of sessions are disabled in any case.
"""

import os

_SWITCH = "ORT_DISABLE_TELEMETRY"
_before = os.environ.get(_SWITCH)
os.environ[_SWITCH] = "1"
try:
    import onnxruntime
finally:  # restore the caller's environment
    if _before is None:
        del os.environ[_SWITCH]
    else:
        os.environ[_SWITCH] = _before
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
