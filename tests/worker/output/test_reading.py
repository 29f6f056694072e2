"""Outputs of earlier tasks are read from the own storage, wherever it is; other rules stand."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from tests.servers.proxy import Fault
from tests.worker.output.conftest import OTHER, TASK, TOKEN, Rig
from tests.worker.test_console import a_task
from worker.errors import InputError
from worker.inputs.fetch import Wanted, fetch
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import is_below
from worker.output.reading import with_readable_outputs
from worker.settings.configuration import load
from worker.settings.storing import own_addresses
from worker.task import Claim, Dependency


def claim_of(task_id: UUID, location: str | None) -> Claim:
    """Make the claim of a task that goes on from another's output."""
    dependency = Dependency(
        id=task_id, task_type="travel_segment", params={}, output_location=location
    )
    return Claim(token=TOKEN, task=a_task(), dependencies=(dependency,))


def policy_of(rig: Rig, path: Path) -> InputPolicy:
    """Make the policy of a worker with this storage, which is at a private address."""
    place = rig.storage.place
    if place.scheme == "s3":
        given = {"s3_endpoint_url": rig.proxy.url}
    else:
        given = {"supabase_url": rig.proxy.url, "supabase_secret_key": "sb_secret"}
    settings = load({"home": path, "storage": str(place), **given}).settings
    return InputPolicy(cache_dir=path / "cache", own_storage=own_addresses(settings))


def read(location: str | None, policy: InputPolicy) -> bytes:
    """Have an input as a task has it."""
    return fetch(Wanted(source=str(location), max_bytes=1000), policy).read_bytes()


def test_an_output_whose_signature_ran_out_is_read(rig: Rig, tmp_path: Path) -> None:
    """At an address that was signed for the claim, on a server at a private address."""
    (location, *_) = rig.storage.publish(TASK, TOKEN, rig.attempt())
    claim = claim_of(TASK, f"{location.partition('?')[0]}?X-Amz-Signature=old")
    signed = with_readable_outputs(claim, rig.storage).dependencies[0].output_location
    assert read(signed, policy_of(rig, tmp_path)) == b"new video.mp4"


def test_other_addresses_of_that_server_are_refused_as_any_private_one(
    rig: Rig, tmp_path: Path
) -> None:
    """It may hold more than outputs."""
    policy = policy_of(rig, tmp_path)
    base = rig.proxy.url
    for path in ("/", "/other/fleet/x", "/storage/v1/object/sign/other/fleet/x"):
        with pytest.raises(InputError, match="no public address"):
            read(f"{base}{path}", policy)
    for path in ("fleet-2/x", "fleet/../x", "fleet/%2e%2e/x"):
        with pytest.raises(InputError, match="no public address"):
            read(f"{rig.storage.bucket.public_base()}/{path}", policy)
    assert rig.proxy.seen == []


@pytest.mark.parametrize("location", [None, "/home/outputs/video.mp4", "https://example.org/v"])
def test_what_is_not_of_the_bucket_stays_as_it_is(rig: Rig, location: str | None) -> None:
    """Paths of the past, addresses of others."""
    claim = claim_of(OTHER, location)
    assert with_readable_outputs(claim, rig.storage) == claim


def test_where_none_can_be_signed_the_rows_address_stands(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """It may still be good."""
    (location, *_) = rig.storage.publish(TASK, TOKEN, rig.attempt())
    claim = claim_of(TASK, location)
    rig.proxy.faults = [Fault(403, path="/object/sign", times=9)]
    read_at = with_readable_outputs(claim, rig.storage).dependencies[0].output_location
    if rig.storage.place.scheme == "supabase":  # S3 asks nobody
        assert read_at == location
        assert "is read as it was named" in caplog.text


def test_aws_is_no_server_of_ones_own(tmp_path: Path) -> None:
    """There the rules for any address hold; so they do without a storage."""
    assert own_addresses(load({"home": tmp_path, "storage": "s3://outputs"}).settings) == ()
    assert own_addresses(load({"home": tmp_path}).settings) == ()


def test_a_bucket_without_a_prefix_is_ones_own_as_a_whole(tmp_path: Path) -> None:
    """And no other that begins with its name."""
    given = {"storage": "s3://outputs", "s3_endpoint_url": "http://minio:9000/"}
    (base,) = own_addresses(load({"home": tmp_path, **given}).settings)
    assert is_below("http://minio:9000/outputs/t/video.mp4", base)
    assert not is_below("http://minio:9000/outputs-2/t/video.mp4", base)
    assert not is_below("http://[", base)
    assert replace(InputPolicy(cache_dir=tmp_path)).own_storage == ()
