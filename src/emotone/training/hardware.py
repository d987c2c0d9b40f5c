"""Hardware settings of training: precision, memory, device."""

import ctypes
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from emotone.errors import UsageError
from emotone.training.options import Precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16")


def usable_precision(asked: Precision, device: str) -> Precision:
    """Return the requested precision, or float32 on a processor without bfloat16 instructions.

    Such a processor emulates bfloat16, which is several times as slow as float32
    (``benchmarks/training.py``). The networks differ by rounding.

    Args:
        asked: precision of :class:`emotone.training.options.TrainingOptions`.
        device: an accelerator name of lightning-fabric.
    """
    if device != "cpu" and (device != "auto" or torch.cuda.is_available()):
        return asked
    # old PyTorch does not report capabilities
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    has_instructions = any(capabilities.get(name) for name in BFLOAT16_INSTRUCTIONS)
    return asked if has_instructions and torch.backends.mkldnn.is_available() else "32-true"


def keep_memory() -> None:
    """Make glibc keep freed memory, which is faster than returning it after every step.

    Does nothing where there is no glibc.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 2**30)
    except (OSError, AttributeError):
        return


def check_device(device: str) -> None:
    """Check that this machine has a device.

    Raises:
        UsageError: if it has none of this kind, or PyTorch was built without it.
    """
    usable = torch.backends.mps.is_available() if device == "mps" else torch.cuda.is_available()
    if device in ("cuda", "mps") and not usable:
        raise UsageError(
            f"runtime.device={device}: PyTorch {torch.__version__} finds no such device on this "
            "machine; use runtime.device=cpu, or auto for whatever there is"
        )


def fabric_on(device: str, precision: Precision) -> "Fabric":
    """Return lightning-fabric for one device.

    Args:
        device: an accelerator name of lightning-fabric: ``cpu``, ``cuda``, ``mps``, ``auto``.
        precision: requested precision, see :func:`usable_precision`.

    Raises:
        UsageError: see :func:`check_device`.
    """
    check_device(device)
    from lightning_fabric import Fabric  # slow to load, and only training processes need it

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # hides its note about bfloat16
    return Fabric(accelerator=device, devices=1, precision=usable_precision(precision, device))
