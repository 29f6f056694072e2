"""LoRA files are whole, are what they say, or fail the task."""

import dataclasses
import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from worker.errors import InputError
from worker.inputs.lora_files import check_header, check_lora, fetch_lora
from worker.inputs.policy import InputPolicy

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Site

TENSORS: dict[str, np.ndarray[Any, Any]] = {
    "a.down": np.ones((4, 8), np.float32),
    "a.up": np.ones((8, 4), np.float16),
    "alpha": np.ones((), np.float32),
}
WHOLE = save(TENSORS, metadata={"rank": "4"})


def with_header(header: Any, data: bytes = b"") -> bytes:
    """Make a file of a header and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(shape: list[Any], first: Any, last: Any, dtype: str = "F32") -> dict[str, Any]:
    """Make an entry of a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


def write(tmp_path: Path, body: bytes, name: str = "a.safetensors") -> Path:
    """Write a file and return its path."""
    (tmp_path / name).write_bytes(body)
    return tmp_path / name


def test_a_file_of_the_reference_library_passes(tmp_path: Path) -> None:
    """All its tensors are counted, its metadata is none."""
    assert check_header(write(tmp_path, WHOLE), source="a") == len(TENSORS)


@pytest.mark.parametrize("length", [0, 4, 8, 20, 100, len(WHOLE) - 1])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    """In the length, in the header, in the tensors."""
    with pytest.raises(InputError, match="is no whole safetensors file"):
        check_header(write(tmp_path, WHOLE[:length]), source="a")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>404 not found</html>", "its header's length says"),
        ((10**12).to_bytes(8, "little") + b"{}", "its header's length says 1,000,000,000,000"),
        (with_header(b"{not json"), "is no JSON"),
        (with_header(b"[" * 100_000), "is no JSON"),
        (with_header([]), "no JSON object"),
        (with_header({}), "holds no tensor"),
        (with_header({"__metadata__": {}}), "holds no tensor"),
        (with_header({"a": 3}), "entry 'a' is no tensor"),
        (with_header({"a": tensor([1], 0, 4, "F33")}, bytes(4)), "entry 'a' is no tensor"),
        (with_header({"a": tensor([-1], 0, 4)}, bytes(4)), "entry 'a' is no tensor"),
        (with_header({"a": tensor([True], 0, 4)}, bytes(4)), "entry 'a' is no tensor"),
        (with_header({"a": tensor([1], 0, 4.0)}, bytes(4)), "entry 'a' is no tensor"),
        (with_header({"a": tensor([2], 0, 4)}, bytes(4)), "tensor 'a' of 8 bytes"),
        (with_header({"a": tensor([1], 4, 8)}, bytes(8)), "stands at 4 to 8"),
        (with_header({"a": tensor([1], 0, 4)}, bytes(5)), "take 4 bytes and 5 are there"),
        (with_header({"a": tensor([1], 0, 4, ["F32"])}, bytes(4)), "entry 'a' is no tensor"),
        (with_header({"a": tensor([1], 0, 4) | {"shape": 3}}), "entry 'a' is no tensor"),
        (with_header({"a": tensor([10**30], 0, 4)}, bytes(4)), "more elements than can"),
        (with_header({"a": tensor([1] * 65, 0, 4)}, bytes(4)), "entry 'a' is no tensor"),
        (with_header({"a": tensor([2**62, 2**62], 0, 4)}, bytes(4)), "more elements than can"),
        (with_header({"a": tensor([2**62, 2**62, 0], 0, 0)}), "more elements than can"),
        (with_header({"a": tensor([1], 4, 0)}, bytes(4)), "stands at 4 to 0"),
        (with_header(b'{"a": {"shape": [' + b"9" * 5000 + b"]}}"), "is no JSON"),
        (with_header(b'{"a":' * 100_000), "is no JSON"),
        (with_header(b'{"a": 1, "a": 2}'), "'a' stands there twice"),
        (with_header(b'{"a": {"shape": [], "shape": []}}'), "'shape' stands there twice"),
        (with_header('{"a": 3}'.encode("utf-16")), "is no JSON"),
        (with_header(b'{"\xff": 3}'), "is no JSON"),
        (with_header({"n" * 10**6: 3}), "n…' is no tensor"),
        (
            with_header({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
            "'b' of 8 bytes stands at 4 to 12, after 8 bytes",
        ),
        (
            with_header({"a": tensor([1], 0, 4), "b": tensor([1], 0, 4)}, bytes(4)),
            "stands at 0 to 4, after 4 bytes",
        ),
    ],
)
def test_a_damaged_header_says_what_does_not_fit(tmp_path: Path, body: bytes, words: str) -> None:
    """And names the file."""
    with pytest.raises(InputError, match=words) as caught:
        check_header(write(tmp_path, body), source="the lora")
    assert "'the lora'" in str(caught.value)


def test_a_header_too_long_for_a_lora_is_not_read(tmp_path: Path) -> None:
    """The format would allow a hundred megabytes; as objects they take gigabytes."""
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write((99_000_000).to_bytes(8, "little"))
        file.truncate(200_000_000)
    tracemalloc.start()
    with pytest.raises(InputError, match="99,000,000 bytes, more than the limit of 16,000,000"):
        check_header(path, source="a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_message_repeats_little_of_a_header(tmp_path: Path) -> None:
    """A name may have megabytes."""
    body = with_header({"n" * 10**6: tensor([1], 0, 4, "t" * 10**6)}, bytes(4))
    with pytest.raises(InputError) as caught:
        check_header(write(tmp_path, body), source="a")
    assert len(str(caught.value)) < 500


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_content_raises_anything_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, length: int
) -> None:
    """Whatever a server sends."""
    path = write(tmp_path_factory.mktemp("any"), length.to_bytes(8, "little") + body)
    try:
        count = check_header(path, source="a")
    except InputError:
        return
    assert count > 0


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.safetensors.zip", "a"])
def test_another_format_is_refused(tmp_path: Path, policy: InputPolicy, name: str) -> None:
    """A pickle runs code when it is read."""
    with pytest.raises(InputError, match=r"no \.safetensors file"):
        fetch_lora(str(write(tmp_path, WHOLE, name)), policy)


def test_a_url_is_refused_by_its_name_before_it_is_asked(site: "Site", policy: InputPolicy) -> None:
    """The query does not count."""
    with pytest.raises(InputError, match=r"no \.safetensors file"):
        fetch_lora(site.url("/a.bin?name=a.safetensors"), policy)
    assert site.seen == []


def test_two_urls_with_one_basename_stay_two_loras(site: "Site", policy: InputPolicy) -> None:
    """Sharing one file by its basename rendered the wrong LoRA."""
    other = save({"b": np.zeros(3, np.float32)})
    paths = [
        fetch_lora(site.serve(path, body), policy)
        for path, body in (("/1/a.safetensors", WHOLE), ("/2/a.safetensors", other))
    ]
    assert [path.read_bytes() for path in paths] == [WHOLE, other]


def test_a_lora_of_the_right_hash_passes(site: "Site", policy: InputPolicy) -> None:
    """In either case."""
    digest = hashlib.sha256(WHOLE).hexdigest()
    url = site.serve("/a.safetensors", WHOLE)
    assert fetch_lora(url, policy, sha256=digest.upper()).read_bytes() == WHOLE


def test_a_lora_of_another_hash_is_refused_and_not_kept(site: "Site", policy: InputPolicy) -> None:
    """Both hashes are named."""
    digest = hashlib.sha256(WHOLE).hexdigest()
    url = site.serve("/a.safetensors", WHOLE)
    with pytest.raises(InputError, match=f"{digest}, not {'0' * 64}"):
        fetch_lora(url, policy, sha256="0" * 64)
    assert list(policy.cache_dir.iterdir()) == []


def test_a_local_lora_is_checked_against_its_hash(tmp_path: Path, policy: InputPolicy) -> None:
    """As a downloaded one is."""
    path = write(tmp_path, WHOLE)
    digest = hashlib.sha256(WHOLE).hexdigest()
    assert fetch_lora(str(path), policy, sha256=digest) == path
    with pytest.raises(InputError, match=f"{digest}, not {'0' * 64}"):
        fetch_lora(str(path), policy, sha256="0" * 64)


def test_a_kept_lora_is_checked_against_the_hash_of_each_task(
    site: "Site", policy: InputPolicy
) -> None:
    """Another task had it without a hash, or under another one; theirs stays good."""
    url = site.serve("/a.safetensors", WHOLE)
    fetch_lora(url, policy)
    digest = hashlib.sha256(WHOLE).hexdigest()
    assert fetch_lora(url, policy, sha256=digest).read_bytes() == WHOLE
    assert len(site.seen) == 1
    with pytest.raises(InputError, match=f"{digest}, not {'0' * 64}"):
        fetch_lora(url, policy, sha256="0" * 64)
    assert len(site.seen) == 2
    assert fetch_lora(url, policy, sha256=digest).read_bytes() == WHOLE
    assert len(site.seen) == 2


def test_a_lora_that_changed_at_its_url_is_taken_anew_by_its_hash(
    site: "Site", policy: InputPolicy
) -> None:
    """A task that says which one it means gets that one."""
    fetch_lora(site.serve("/a.safetensors", WHOLE), policy)
    other = save({"b": np.zeros(3, np.float32)})
    url = site.serve("/a.safetensors", other)
    assert fetch_lora(url, policy).read_bytes() == WHOLE
    wanted = hashlib.sha256(other).hexdigest()
    assert fetch_lora(url, policy, sha256=wanted).read_bytes() == other


@pytest.mark.parametrize("place", [3, 12, -1])
def test_a_kept_lora_that_has_rotted_is_downloaded_again(
    site: "Site", policy: InputPolicy, place: int
) -> None:
    """A flipped bit in the header's length or text; in the tensors the hash finds it."""
    url = site.serve("/a.safetensors", WHOLE)
    digest = hashlib.sha256(WHOLE).hexdigest()
    path = fetch_lora(url, policy)
    rotten = bytearray(WHOLE)
    rotten[place] ^= 0x40
    path.write_bytes(rotten)
    assert fetch_lora(url, policy, sha256=digest).read_bytes() == WHOLE


def test_a_kept_lora_that_is_cut_off_is_downloaded_again(site: "Site", policy: InputPolicy) -> None:
    """Without any hash."""
    url = site.serve("/a.safetensors", WHOLE)
    fetch_lora(url, policy).write_bytes(WHOLE[:-1])
    assert fetch_lora(url, policy).read_bytes() == WHOLE


def test_a_server_that_sends_less_than_there_is_and_says_so_is_found_out(
    site: "Site", policy: InputPolicy
) -> None:
    """By HTTP the answer is whole."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(WHOLE) - 4)
    with pytest.raises(InputError, match="no whole safetensors file"):
        fetch_lora(site.raw("/a.safetensors", head + WHOLE), policy)
    assert list(policy.cache_dir.iterdir()) == []


def test_a_lora_that_is_cut_off_on_the_way_is_not_kept(site: "Site", policy: InputPolicy) -> None:
    """The server itself sends half of it, and calls that all."""
    url = site.serve("/a.safetensors", WHOLE[:-10])
    with pytest.raises(InputError, match="no whole safetensors file"):
        fetch_lora(url, policy)
    assert list(policy.cache_dir.iterdir()) == []


def test_a_lora_over_the_limit_is_refused(site: "Site", policy: InputPolicy) -> None:
    """By bytes."""
    url = site.serve("/a.safetensors", WHOLE)
    with pytest.raises(InputError, match="larger than the limit of 10 bytes"):
        fetch_lora(url, dataclasses.replace(policy, max_lora_bytes=10))


def test_checking_a_url_asks_nobody(site: "Site", policy: InputPolicy) -> None:
    """Enqueueing does not download."""
    check_lora(site.url("/a.safetensors"), policy)
    assert site.seen == []


def test_checking_a_local_file_reads_its_header(tmp_path: Path, policy: InputPolicy) -> None:
    """It costs nothing, and a damaged file is found before anything is queued."""
    with pytest.raises(InputError, match="no whole safetensors file"):
        check_lora(str(write(tmp_path, WHOLE[:-1])), policy)
