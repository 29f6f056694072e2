"""LoRA files: fetched, and checked before anything loads them."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeAlias

import msgspec

from worker.errors import InputError
from worker.inputs.fetch import Wanted, check_local, check_source, fetch, go_on
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import input_error, scheme_of

SUFFIX = ".safetensors"
# The format allows 100 MB. A LoRA's header has some hundred kilobytes, a few megabytes where the
# trainer noted its data set; and reading JSON may take 25 times its size in memory.
MAX_HEADER_BYTES = 16_000_000
# Readers count elements in 64 bits.
_MAX_ELEMENTS = 2**63 - 1
# How much of a header's own text an error message repeats.
_TOLD = 120
_LENGTH_BYTES = 8
# Bits of an element, by the format's names of types.
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class _Tensor(msgspec.Struct, frozen=True):
    """A tensor as the header describes it; torch knows no more than 64 dimensions."""

    dtype: str
    shape: Annotated[list[_Count], msgspec.Meta(max_length=64)]
    data_offsets: tuple[_Count, _Count]


def check_lora_name(source: str) -> None:
    """Refuse what is neither a path nor an http(s) URL of a .safetensors file, by its name."""
    check_source(source)
    path = source.partition("?")[0].partition("#")[0] if scheme_of(source) else source
    if not PurePosixPath(path).name.lower().endswith(SUFFIX):
        raise input_error(source, f"is no {SUFFIX} file; other formats can run code")


def check_lora(source: str, policy: InputPolicy) -> None:
    """Check all that can be known of a LoRA without downloading it; a local file is read.

    Raises:
        InputError: It is no .safetensors file, it is not there, or its header is damaged.
    """
    check_lora_name(source)
    if not scheme_of(source):
        path = check_local(source, policy, max_bytes=policy.max_lora_bytes)
        check_header(path, source=source)


def fetch_lora(
    source: str,
    policy: InputPolicy,
    *,
    sha256: str | None = None,
    check: Callable[[], None] = go_on,
) -> Path:
    """Return a LoRA as a file on this machine, its header checked, its hash too when given.

    Two URLs that end in one name are two files.

    Raises:
        InputError: It cannot be had, is no .safetensors file, is cut off, or has another hash.
    """

    def verify(path: Path) -> None:
        check_header(path, source=source)
        if sha256 is not None:
            _check_hash(path, sha256, source)

    check_lora_name(source)
    return fetch(
        Wanted(source=source, max_bytes=policy.max_lora_bytes, verify=verify, check=check), policy
    )


def check_header(path: Path, *, source: str) -> int:
    """Check that a file is a whole safetensors file; return how many tensors it holds.

    The header's length and JSON, every tensor's type and shape, and that the tensors fill the rest
    of the file exactly, one after another: a download that was cut off does not pass. What the
    tensors hold is not looked at: a sha256 tells that.

    Raises:
        InputError: Names `source` and what does not fit.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 0 < length <= size - _LENGTH_BYTES:
                raise _damaged(source, f"its header's length says {length:,} of {size:,} bytes")
            if length > MAX_HEADER_BYTES:
                problem = f"{length:,} bytes, more than the limit of {MAX_HEADER_BYTES:,}"
                raise _damaged(source, f"its header has {problem}")
            text = file.read(length)
    except OSError as error:
        raise input_error(source, f"cannot be read: {error}") from error
    tensors = _tensors(text, source)
    _check_layout(tensors, size - _LENGTH_BYTES - length, source)
    return len(tensors)


def _damaged(source: str, problem: str) -> InputError:
    return input_error(source, f"is no whole safetensors file: {problem}")


def _tensors(text: bytes, source: str) -> dict[str, _Tensor]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _damaged(source, f"its header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(source, "its header is no JSON object")
    header.pop("__metadata__", None)
    if not header:
        raise _damaged(source, "it holds no tensor")
    return {name: _tensor(name, entry, source) for name, entry in header.items()}


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its entries; readers differ in which of two alike they take."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{_told(name)} stands there twice")
        found[name] = value
    return found


def _tensor(name: str, entry: Any, source: str) -> _Tensor:
    try:
        tensor = msgspec.convert(entry, _Tensor)
    except msgspec.ValidationError as error:
        problem = f"its header's entry {_told(name)} is no tensor: {error}"
        raise _damaged(source, problem) from error
    if tensor.dtype not in _BITS:
        problem = f"its header's entry {_told(name)} is no tensor: its type is"
        raise _damaged(source, f"{problem} {_told(tensor.dtype)}")
    if math.prod(filter(None, tensor.shape)) > _MAX_ELEMENTS:
        raise _damaged(source, f"tensor {_told(name)} has more elements than can be counted")
    return tensor


def _check_layout(tensors: Mapping[str, _Tensor], data_bytes: int, source: str) -> None:
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        first, last = tensor.data_offsets
        wanted = math.prod(tensor.shape) * _BITS[tensor.dtype] // 8
        if first != end or last - first != wanted:
            raise _damaged(
                source,
                f"tensor {_told(name)} of {wanted:,} bytes stands at {first:,} to {last:,}, "
                f"after {end:,} bytes of others",
            )
        end = last
    if end != data_bytes:
        raise _damaged(source, f"its tensors take {end:,} bytes and {data_bytes:,} are there")


def _told(text: str) -> str:
    return repr(text if len(text) <= _TOLD else f"{text[:_TOLD]}…")


def _check_hash(path: Path, expected: str, source: str) -> None:
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise input_error(source, f"cannot be read: {error}") from error
    if actual != expected.lower():
        raise input_error(source, f"its sha256 is {actual}, not {expected.lower()}")
