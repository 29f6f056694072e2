"""Who holds a device's memory."""

import pytest
import torch

from worker.engines.conditioning import Conditioning
from worker.engines.device_memory import MOST_TENSORS, memory_facts
from worker.engines.sizes import gigabytes

CPU = torch.device("cpu")
# More than what else lives in the process that runs the tests.
MANY = 40 * 2**20


def part(megabytes: int) -> torch.nn.Module:
    """Make a part of a model of some size."""
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.zeros(megabytes, 2**18))
    return module


def test_each_part_of_the_model_is_told_with_its_size() -> None:
    """The largest first; what is no module holds nothing."""
    parts = {"vae": part(1), "transformer": part(3), "tokenizer": object()}
    found = memory_facts(parts, CPU)
    assert found.components == ("3.00 MiB transformer", "1.00 MiB vae")


def test_loras_are_told_apart_from_what_they_are_in() -> None:
    """As peft names their parameters."""
    transformer = part(2)
    transformer.to_q = torch.nn.Module()
    transformer.to_q.lora_A = part(1)
    found = memory_facts({"transformer": transformer}, CPU)
    assert found.components == ("2.00 MiB transformer", "1.00 MiB loras")


def test_weights_that_two_parts_share_are_counted_once() -> None:
    """As tied embeddings are."""
    one, other = part(2), part(1)
    other.weight = one.weight
    assert memory_facts({"one": one, "other": other}, CPU).components == ("2.00 MiB one",)


def test_the_largest_other_tensors_are_told_by_their_names_in_the_stack() -> None:
    """Shape, type, and what the innermost frame calls it; a view is none of its own."""

    def runs_out() -> None:
        scores = torch.zeros(MANY, dtype=torch.uint8)
        half = scores[:2]
        raise torch.OutOfMemoryError(f"CUDA out of memory: {half.ndim}")

    with pytest.raises(torch.OutOfMemoryError) as caught:
        runs_out()
    first = memory_facts({}, CPU, caught.value).tensors[0]
    function = runs_out.__qualname__
    assert first == f"40.00 MiB {MANY} uint8: {f'scores in {function}'[:80]}"


def test_a_tensor_in_a_field_of_ours_is_told_by_that() -> None:
    """What a generation starts from is held so."""

    def runs_out() -> None:
        noise = torch.zeros(2 * MANY, dtype=torch.uint8)
        given = Conditioning(positive=noise, negative=None, noise=noise, picture=None)
        del noise
        raise torch.OutOfMemoryError(f"CUDA out of memory: {given.noise.ndim}")

    with pytest.raises(torch.OutOfMemoryError) as caught:
        runs_out()
    assert ": given.positive in " in memory_facts({}, CPU, caught.value).tensors[0]


def test_tensors_of_the_model_are_not_told_again() -> None:
    """They are in its parts."""
    model = part(50)
    assert not [one for one in memory_facts({"m": model}, CPU).tensors if one.startswith("50.00")]


def test_what_is_told_is_bounded() -> None:
    """A process may have thousands of tensors."""
    held = [torch.zeros(1000 + n) for n in range(3 * MOST_TENSORS)]
    assert len(memory_facts({}, CPU).tensors) == MOST_TENSORS
    assert held


def test_a_processor_does_not_say_how_much_there_is() -> None:
    """Its memory is the machine's."""
    found = memory_facts({}, CPU)
    assert (dict(found.device), found.processes) == ({}, ())


@pytest.mark.parametrize(
    ("size", "said"), [(2**20, "1.00 MiB"), (2**27, "0.12 GiB"), (80 * 2**30, "80.00 GiB")]
)
def test_sizes_are_those_of_a_gpu(size: int, said: str) -> None:
    """In GiB from an eighth of one on."""
    assert gigabytes(size) == said


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_says_what_is_taken_and_what_is_left() -> None:
    """Of what the allocator keeps, the largest block that is free; and which processes use it."""
    device = torch.device("cuda", torch.cuda.current_device())
    held = torch.zeros(2**28, dtype=torch.uint8, device=device)
    torch.zeros(2**29, dtype=torch.uint8, device=device)  # given back to the allocator at once
    found = memory_facts({}, device)
    assert found.device["allocated"] >= 2**28
    assert found.device["reserved"] >= found.device["allocated"] + 2**29
    assert found.device["largest_free"] >= 2**29
    assert 0 < found.device["free"] < found.device["total"]
    assert found.tensors[0].startswith("0.25 GiB 268435456 uint8")
    assert held.is_cuda
