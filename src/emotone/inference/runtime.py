"""ONNX Runtime, kept from sending anything to its makers.

Since 1.29 its Linux and macOS builds upload usage events, with hashes of the model and a lasting
number of the device, unless ``ORT_DISABLE_TELEMETRY`` is set when it is loaded. Audio is never
among them, but a program that works offline should ask nobody. Where another module has loaded
ONNX Runtime before, that one has decided; the events of sessions are switched off all the same.
"""

import os

_SWITCH = "ORT_DISABLE_TELEMETRY"
_before = os.environ.get(_SWITCH)
os.environ[_SWITCH] = "1"
try:
    import onnxruntime
finally:  # the environment stays the caller's
    if _before is None:
        del os.environ[_SWITCH]
    else:
        os.environ[_SWITCH] = _before
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
