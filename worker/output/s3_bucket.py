"""A bucket by the S3 protocol: AWS, Cloudflare R2, MinIO, Supabase Storage's S3 endpoint."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from worker.errors import SettingsError
from worker.output.at_once import at_once
from worker.output.bucket import (
    ANSWER_S,
    PART_BYTES,
    Content,
    Listed,
    ObjectMissing,
    ObjectTooLarge,
    Stored,
    key_below,
)
from worker.output.place import S3, Place, s3_public_base
from worker.output.s3_refusals import refusal_of

_CONNECT_S: Final = 10.0
_PARTS_AT_ONCE: Final = 4
_READ_BYTES: Final = 1024 * 1024
_UNCHANGED: Final = "304"
_MISSING: Final = "NoSuchKey"
_FEW: Final = 4  # files of an attempt
_REMOVED_AT_ONCE: Final = 1000  # the protocol's limit
_LARGEST_COPY_BYTES: Final = 4 * 1024**3  # in one call the protocol allows 5 GiB
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Where the S3 protocol is spoken, and with what right.

    Attributes:
        endpoint_url: "" for AWS.
        region: "" leaves it to what boto3 finds on this machine.
        key_id: With `secret`; None for the right that the machine itself has, its role.
        secret: The key.
        session_token: Of a key that is lent for a while.
        answer_s: How long a connection is waited for, and each piece of an answer; a connection at
            most 10 s.
    """

    endpoint_url: str = ""
    region: str = ""
    key_id: SecretStr | None = None
    secret: SecretStr | None = None
    session_token: SecretStr | None = None
    answer_s: float = ANSWER_S


class S3Bucket:
    """A bucket that boto3 speaks to. It repeats nothing by itself: who asks it knows for how long.

    Each request's body is under the request's signature, and a server that keeps to the protocol
    refuses other bytes.
    """

    def __init__(self, place: Place, access: S3Access) -> None:
        self._bucket = place.bucket
        self._endpoint = access.endpoint_url.rstrip("/")
        self._client = _client(access)
        self._region = str(self._client.meta.region_name or "us-east-1")
        self.name = f"{S3}://{place.bucket} at {self._endpoint or 'AWS'}"

    def put(self, key: str, content: Content) -> None:
        """Write an object whole, in parts where it is large."""
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        config = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )

        def send() -> None:
            # Not `upload_file`, which turns what went wrong into text.
            with create_transfer_manager(self._client, config) as manager:
                path = str(content.path)
                manager.upload(path, self._bucket, key, extra_args=_extra(content)).result()

        self._asked(send)

    def stored(self, key: str) -> Stored | None:
        """Say what is kept under a name."""

        def ask() -> Stored | None:
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                # A key that may not list is told 403 of what is not there.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404}:
                    return None
                raise
            return Stored(size=head["ContentLength"], etag=head.get("ETag", "").strip('"'))

        return self._asked(ask)

    def digest(self, key: str) -> str:
        """Read an object back and return its sha256."""

        def read() -> str:
            sha256 = hashlib.sha256()
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                for chunk in body.iter_chunks(_READ_BYTES):
                    sha256.update(chunk)
            return sha256.hexdigest()

        return self._asked(read)

    def read(self, key: str, most_bytes: int, known: str = "") -> bytes | None:
        """Read an object that is not large."""
        wanted = {"IfNoneMatch": f'"{known}"'} if known else {}

        def read() -> bytes | str:
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, **wanted)
            except self._client.exceptions.ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code in {_UNCHANGED, _MISSING}:
                    return code
                raise
            with answer["Body"] as body:
                found: bytes = body.read(most_bytes + 1)
            return found

        found = self._asked(read)
        if found == _MISSING:
            raise ObjectMissing(self.name)
        if isinstance(found, str):
            return None
        if len(found) > most_bytes:
            raise ObjectTooLarge(self.name, most_bytes)
        return found

    def copy(self, source: str, target: str, content: Content) -> None:
        """Copy within the bucket; the type is said again, which a copy in parts would lose."""
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        origin = {"Bucket": self._bucket, "Key": source}
        extra = {**_extra(content), "MetadataDirective": "REPLACE"}

        def copy() -> None:
            if content.size <= _LARGEST_COPY_BYTES:  # the manager would ask for the size first
                self._client.copy_object(
                    Bucket=self._bucket, Key=target, CopySource=origin, **extra
                )
                return
            config = TransferConfig(multipart_threshold=_LARGEST_COPY_BYTES)
            with create_transfer_manager(self._client, config) as manager:
                manager.copy(origin, self._bucket, target, extra_args=extra).result()

        self._asked(copy)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects: one by one where they are few, which every key for objects may do."""
        if len(keys) <= _FEW:
            at_once(self._remove_one, keys)
            return
        for start in range(0, len(keys), _REMOVED_AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + _REMOVED_AT_ONCE]]
            wanted = {"Objects": objects, "Quiet": True}
            self._asked(partial(self._client.delete_objects, Bucket=self._bucket, Delete=wanted))

    def _remove_one(self, key: str) -> None:
        self._asked(partial(self._client.delete_object, Bucket=self._bucket, Key=key))

    def listed(self, folder: str) -> Iterator[Listed]:
        """List the objects under a folder, a page at a time."""
        more: dict[str, str] = {}
        while True:
            page = self._asked(
                partial(self._client.list_objects_v2, Bucket=self._bucket, Prefix=folder, **more)
            )
            for found in page.get("Contents", ()):
                yield Listed(key=found["Key"], changed_at=found["LastModified"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def public_base(self) -> str:
        """The address below which a public bucket's objects lie."""
        return s3_public_base(self._bucket, self._endpoint, self._region)

    def signed_url(self, key: str, seconds: int) -> str:
        """Sign an address; nothing is asked for it."""
        wanted = {"Bucket": self._bucket, "Key": key}
        url: str = self._asked(
            lambda: self._client.generate_presigned_url("get_object", wanted, ExpiresIn=seconds)
        )
        return url

    def key_of(self, url: str) -> str | None:
        """Return the object's name in an address that is signed, or public."""
        signed = urlsplit(self.signed_url("x", 1))
        own = f"{signed.scheme}://{signed.netloc}{signed.path.removesuffix('x')}"
        return key_below(url, own) or key_below(url, self.public_base())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _asked(self, ask: Callable[[], _T]) -> _T:
        """Ask, and raise what is wrong outside of the frames that hold keys and signatures."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask()
        except (ClientError, BotoCoreError, Boto3Error) as error:
            refusal = refusal_of(error, self.name)
        raise refusal


def _extra(content: Content) -> dict[str, Any]:
    return {"ContentType": content.type, "Metadata": {"sha256": content.sha256}}


def _client(access: S3Access) -> Any:
    """Make the client. Raises `SettingsError` where boto3 is not installed, or refuses it."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise SettingsError(
            "s3:// needs boto3, which is not installed; install loop26[s3]"
        ) from error
    config = Config(
        signature_version="s3v4",
        connect_timeout=min(_CONNECT_S, access.answer_s),
        read_timeout=access.answer_s,
        retries={"total_max_attempts": 1},
        # The newer checksums are sent in a form that not every endpoint reads.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "payload_signing_enabled": True,
            "addressing_style": "path" if access.endpoint_url else "virtual",
        },
    )
    failed = ""
    try:
        return boto3.session.Session().client(
            "s3",
            region_name=access.region or None,
            endpoint_url=access.endpoint_url or None,
            aws_access_key_id=_shown(access.key_id),
            aws_secret_access_key=_shown(access.secret),
            aws_session_token=_shown(access.session_token),
            config=config,
        )
    except ValueError:  # without its words, and without its frames: they hold the key
        failed = f"AWS_ENDPOINT_URL_S3 = {access.endpoint_url!r}: is no address of an S3 endpoint"
    raise SettingsError(failed)


def _shown(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
