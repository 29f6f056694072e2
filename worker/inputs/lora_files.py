"""LoRA files: fetched, and checked before anything loads them."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from worker.errors import InputError
from worker.inputs.fetch import Wanted, check_local, check_source, fetch, go_on
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import scheme_of, shown

SUFFIX = ".safetensors"
# The format's own limit of the JSON header, from its reference reader.
MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
# Bits of an element, by the format's names of types.
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


def check_lora(source: str, policy: InputPolicy) -> None:
    """Check all that can be known of a LoRA without downloading it; a local file is read.

    Raises:
        InputError: It is no .safetensors file, it is not there, or its header is damaged.
    """
    check_source(source)
    _check_name(source)
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

    check_source(source)
    _check_name(source)
    return fetch(
        Wanted(source=source, max_bytes=policy.max_lora_bytes, verify=verify, check=check), policy
    )


def check_header(path: Path, *, source: str) -> int:
    """Check that a file is a whole safetensors file; return how many tensors it holds.

    The header's length and JSON, every tensor's type and shape, and that the tensors fill the rest
    of the file exactly, one after another: a download that was cut off does not pass.

    Raises:
        InputError: Names `source` and what does not fit.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 0 < length <= min(MAX_HEADER_BYTES, size - _LENGTH_BYTES):
                raise _damaged(source, f"its header's length says {length:,} of {size:,} bytes")
            text = file.read(length)
    except OSError as error:
        raise InputError(shown(source), f"cannot be read: {error}") from error
    tensors = _tensors(text, source)
    _check_layout(tensors, size - _LENGTH_BYTES - length, source)
    return len(tensors)


def _check_name(source: str) -> None:
    name = PurePosixPath(source.partition("?")[0] if scheme_of(source) else source).name
    if not name.lower().endswith(SUFFIX):
        raise InputError(shown(source), f"is no {SUFFIX} file; other formats can run code")


def _damaged(source: str, problem: str) -> InputError:
    return InputError(shown(source), f"is no whole safetensors file: {problem}")


def _tensors(text: bytes, source: str) -> dict[str, dict[str, Any]]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(source, f"its header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(source, "its header is no JSON object")
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    if not tensors:
        raise _damaged(source, "it holds no tensor")
    for name, entry in tensors.items():
        if not _is_tensor(entry):
            raise _damaged(source, f"its header's entry {name!r} is no tensor: {entry!r:.120}")
    return tensors


def _is_tensor(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("dtype") not in _BITS:
        return False
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    return _are_counts(shape) and _are_counts(offsets) and len(offsets) == len(("begin", "end"))


def _are_counts(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_layout(tensors: dict[str, dict[str, Any]], data_bytes: int, source: str) -> None:
    end = 0
    for name, entry in sorted(tensors.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        wanted = math.prod(entry["shape"]) * _BITS[entry["dtype"]] // 8
        if first != end or last - first != wanted:
            raise _damaged(
                source,
                f"tensor {name!r} of {wanted:,} bytes stands at {first:,} to {last:,}, "
                f"after {end:,} bytes of others",
            )
        end = last
    if end != data_bytes:
        raise _damaged(source, f"its tensors take {end:,} bytes and {data_bytes:,} are there")


def _check_hash(path: Path, expected: str, source: str) -> None:
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected.lower():
        raise InputError(shown(source), f"its sha256 is {actual}, not {expected.lower()}")
