"""Device, number format and offloading."""

import pytest
import torch

from worker.engines.placement import Placement, probe
from worker.errors import SettingsError


def test_cpu_computes_in_float32_by_default() -> None:
    """Dtype auto is float32 on the CPU."""
    chosen = Placement.choose(device="cpu", dtype="auto", offload="none")
    assert (chosen.device.type, chosen.dtype) == ("cpu", torch.float32)


def test_a_named_dtype_is_used() -> None:
    """A number format that is named is used on any device."""
    chosen = Placement.choose(device="cpu", dtype="bfloat16", offload="none")
    assert chosen.dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("device", "dtype", "offload", "named"),
    [
        ("gpu", "auto", "none", "device 'gpu'"),
        ("mps", "auto", "none", "device 'mps'"),
        ("cuda:99", "auto", "none", "device 'cuda:99'"),
        ("cpu", "int8", "none", "dtype 'int8'"),
        ("cpu", "auto", "disk", "offload 'disk'"),
        ("cpu", "auto", "model", "offload 'model' needs a CUDA device"),
    ],
)
def test_what_cannot_be_had_is_refused(device: str, dtype: str, offload: str, named: str) -> None:
    """A setting that this machine cannot fulfil is refused with its value and the way out."""
    with pytest.raises(SettingsError, match=named):
        Placement.choose(device=device, dtype=dtype, offload=offload)


def test_cpu_proves_that_it_computes() -> None:
    """The probe of a working device is ready and says what it runs on."""
    facts = probe(Placement.choose(device="cpu", dtype="auto", offload="none"))
    assert facts.ready, facts.problem
    assert facts.facts["torch"] == torch.__version__


def test_a_device_that_does_not_compute_is_not_ready() -> None:
    """Torch's meta device has no numbers: its product cannot be read, and the probe says so."""
    placement = Placement(device=torch.device("meta"), dtype=torch.float32, offload="none")
    facts = probe(placement)
    assert not facts.ready
    assert "meta does not compute" in facts.problem


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_computes_in_bfloat16_by_default() -> None:
    """On CUDA auto is bfloat16, and the probe knows the device's memory."""
    placement = Placement.choose(device="auto", dtype="auto", offload="none")
    facts = probe(placement)
    assert placement.dtype is torch.bfloat16
    assert facts.ready, facts.problem
    assert facts.memory_bytes > 0


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_a_device_with_a_number_is_the_one_that_is_asked_after_a_failure() -> None:
    """Who asks for no device in particular would open the first, and learn nothing of this."""
    try:
        facts = probe(Placement.choose(device="cuda:1", dtype="auto", offload="none"))
        assert facts.ready, facts.problem
        assert torch.cuda.current_device() == 1
    finally:
        torch.cuda.set_device(0)
