"""The S3 protocol, on a real server: large files, rights, keys."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.proxy import CUT_BEFORE, Fault, UnreliableProxy
from tests.servers.s3 import KEY_ID, S3Server
from tests.worker.output.conftest import TASK, TOKEN, s3_bucket
from worker.errors import OutputError
from worker.output.bucket import PART_BYTES, Content, StorageRefused, StorageUnavailable
from worker.output.bucket_storage import BucketStorage, Links
from worker.output.place import parse_place
from worker.output.storage import LocalStorage
from worker.patience import Patience

PLACE = parse_place("s3://limited/fleet")
OBJECTS = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]


@pytest.fixture
def bucket_there(s3_server: S3Server) -> None:
    """Make the buckets."""
    for name in ("limited", "others"):
        s3_server.client().create_bucket(Bucket=name)


@pytest.fixture
def key(s3_server: S3Server, bucket_there: None) -> Iterator[dict[str, str]]:
    """Make a key that may write, read and delete objects under the prefix, and nothing else."""
    del bucket_there
    iam = s3_server.client("iam")
    iam.create_user(UserName="worker")
    put_policy(iam, [{"Action": OBJECTS, "Resource": ["arn:aws:s3:::limited/fleet/*"]}])
    made = iam.create_access_key(UserName="worker")["AccessKey"]
    s3_server.check_rights_from_now()
    yield {"key_id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
    s3_server.check_no_rights()
    iam.delete_access_key(UserName="worker", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="worker", PolicyName="limited")
    iam.delete_user(UserName="worker")


def put_policy(iam: Any, statements: list[dict[str, Any]]) -> None:
    """Say what the worker's key may do."""
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", **each} for each in statements],
    }
    iam.put_user_policy(
        UserName="worker", PolicyName="limited", PolicyDocument=json.dumps(document)
    )


def storage_of(url: str, path: Path, address: str = str(PLACE), **key: str) -> BucketStorage:
    """Make a storage in a bucket that a key may use."""
    place = parse_place(address)
    return BucketStorage(
        local=LocalStorage(path / "outputs"),
        bucket=s3_bucket(place, url, **key),
        place=place,
        links=Links(),
        patience=Patience(60.0),
    )


def test_a_key_limited_to_the_prefix_is_enough(
    s3_server: S3Server, key: dict[str, str], tmp_path: Path
) -> None:
    """It may not list the bucket, which is told, with the way out."""
    storage = storage_of(s3_server.url, tmp_path, **key)
    (warning,) = storage.check()
    assert "403 AccessDenied" in warning
    assert "s3:ListBucket" in warning
    (storage.attempt_dir(TASK, TOKEN) / "video.mp4").write_bytes(b"v")
    storage.publish(TASK, TOKEN, [storage.local.folder(TASK, TOKEN) / "video.mp4"])
    assert storage.bucket.digest(PLACE.key(str(TASK), "video.mp4"))


@pytest.mark.parametrize("address", ["s3://limited/elsewhere", "s3://others/fleet"])
def test_a_key_limited_to_the_prefix_opens_nothing_else(
    s3_server: S3Server, key: dict[str, str], tmp_path: Path, address: str
) -> None:
    """Said at once, with what it needs."""
    storage = storage_of(s3_server.url, tmp_path, address, **key)
    with pytest.raises(StorageRefused, match=r"403 AccessDenied: .* it needs s3:PutObject"):
        storage.check()


def test_a_wrong_secret_is_told_from_a_wrong_key(
    s3_server: S3Server, key: dict[str, str], tmp_path: Path
) -> None:
    """And neither is repeated."""
    wrong = storage_of(s3_server.url, tmp_path, key_id=key["key_id"], secret="wr0ng-s3cret")  # noqa: S106 - of a test
    with pytest.raises(StorageRefused, match="secret does not belong to the key") as caught:
        wrong.check()
    assert "wr0ng" not in str(caught.value)
    unknown = storage_of(s3_server.url, tmp_path, key_id="AKIAUNKNOWN", secret="wr0ng-s3cret")  # noqa: S106 - as above
    with pytest.raises(StorageRefused, match="no such key is known") as caught:
        unknown.check()
    assert "AKIAUNKNOWN" not in str(caught.value)


def test_a_machine_without_any_key_is_told_so(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has no role of its own either."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    storage = storage_of(s3_server.url, tmp_path)
    from worker.output.s3_bucket import S3Access, S3Bucket

    bucket = S3Bucket(PLACE, S3Access(endpoint_url=s3_server.url, region="us-east-1"))
    path = tmp_path / "video.mp4"
    path.write_bytes(b"v")
    with pytest.raises(StorageRefused, match="there is no key; set AWS_ACCESS_KEY_ID"):
        bucket.put("x", Content.of(path))
    storage.close()


def test_an_endpoint_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    """Nobody listens: no answer is a matter of the network."""
    storage = storage_of("http://127.0.0.1:1", tmp_path)
    with pytest.raises(StorageUnavailable, match=r"cannot be reached: EndpointConnectionError"):
        storage.check()


def test_a_large_file_goes_in_parts_and_not_through_memory(
    s3_server: S3Server, bucket_there: None, tmp_path: Path
) -> None:
    """Eight parts, one of them refused once; its copy is whole and has its type."""
    del bucket_there
    with UnreliableProxy(s3_server.url) as proxy:
        storage = storage_of(proxy.url, tmp_path)
        video = storage.attempt_dir(TASK, TOKEN) / "video.mp4"
        with video.open("wb") as file:
            for number in range(8):
                file.write(bytes([number]) * PART_BYTES)
        proxy.faults = [Fault(CUT_BEFORE, "PUT", "partNumber=3")]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        content = Content.of(video)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024
        storage.publish(TASK, TOKEN, [video])
        assert proxy.count("PUT", "partNumber=") > 8
    head = s3_server.client().head_object(Bucket="limited", Key=PLACE.key(str(TASK), video.name))
    assert (head["ContentLength"], head["ContentType"]) == (8 * PART_BYTES, "video/mp4")
    assert head["Metadata"] == {"sha256": content.sha256}


def test_public_addresses_are_where_each_server_has_them() -> None:
    """AWS, any other, and Supabase's S3 endpoint, whose public addresses are no S3."""
    supabase = "https://abc.supabase.co/storage/v1"
    bases = [
        s3_bucket(PLACE, url).public_base()
        for url in ("", "https://minio.example.org/", f"{supabase}/s3")
    ]
    assert bases == [
        "https://limited.s3.us-east-1.amazonaws.com",
        "https://minio.example.org/limited",
        f"{supabase}/object/public/limited",
    ]


def test_the_key_is_in_no_address_but_a_signed_one() -> None:
    """There by its name alone, as the protocol has it; the secret is in none."""
    bucket = s3_bucket(PLACE, "https://minio.example.org", secret="s3cr3t-s3cr3t")  # noqa: S106 - of a test
    signed = bucket.signed_url("fleet/x", 60)
    assert KEY_ID in signed
    assert "s3cr3t" not in signed
    assert "X-Amz-Expires=60" in signed
    assert issubclass(StorageRefused, OutputError)
