import pytest
import torch

from emotone.errors import UsageError
from emotone.training.hardware import check_device, fabric_on, keep_memory, usable_precision


@pytest.mark.parametrize(
    ("device", "instructions", "expected"),
    [
        ("cpu", {"avx2": True, "avx512_bf16": False}, "32-true"),
        ("cpu", {"avx512_bf16": True}, "bf16-mixed"),
        ("auto", {"avx2": True}, "32-true"),
        ("cuda", {"avx2": True}, "bf16-mixed"),
    ],
)
def test_bfloat16_is_used_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, device: str, instructions: dict[str, bool], expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usable_precision("bf16-mixed", device) == expected
    assert usable_precision("32-true", device) == "32-true"


def test_auto_with_a_gpu_is_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert usable_precision("bf16-mixed", "auto") == "bf16-mixed"
    assert usable_precision("bf16-mixed", "cpu") == "32-true"


def test_without_onednn_bfloat16_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert usable_precision("bf16-mixed", "cpu") == "32-true"


@pytest.mark.parametrize(
    ("has_bfloat16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)]
)
def test_fabric_computes_in_the_usable_precision(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bfloat16})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    fabric = fabric_on("cpu", "bf16-mixed")
    assert fabric.device == torch.device("cpu")
    with fabric.autocast():
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_memory()

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", missing)
    keep_memory()


@pytest.mark.parametrize(
    ("device", "module"), [("cuda", torch.cuda), ("mps", torch.backends.mps)], ids=["cuda", "mps"]
)
def test_a_device_that_is_not_there_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, device: str, module: object
) -> None:
    monkeypatch.setattr(module, "is_available", lambda: False)
    with pytest.raises(UsageError, match=rf"runtime.device={device}: .*use runtime.device=cpu"):
        fabric_on(device, "32-true")
    monkeypatch.setattr(module, "is_available", lambda: True)
    check_device(device)
