"""The address of a storage: which protocol, which bucket, and under what in it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

S3: Final = "s3"
SUPABASE: Final = "supabase"
_SCHEMES: Final = (S3, SUPABASE)
_SUPABASE_ENDPOINT: Final = "/storage/v1/s3"
# Names that S3, R2, MinIO and Supabase Storage all take: S3's rules for buckets.
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_FORM: Final = "must be s3://bucket/prefix or supabase://bucket/prefix, the prefix as you like"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in which bucket outputs go; `prefix` is "" for the bucket's root."""

    scheme: str
    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}{'/' if self.prefix else ''}{self.prefix}"

    def key(self, *parts: str) -> str:
        """Return the name of an object under the prefix."""
        return "/".join((self.prefix, *parts) if self.prefix else parts)


def parse_place(address: str) -> Place:
    """Read an address as `s3://bucket/prefix`. Raises `ValueError` without repeating it."""
    scheme, parted, rest = address.partition("://")
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not parted or scheme not in _SCHEMES:
        raise ValueError(_FORM)
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            f"{_FORM}; a bucket's name has 3 to 63 small letters, digits, dots and dashes"
        )
    if prefix and not all(map(_PART.fullmatch, prefix.split("/"))):
        raise ValueError(f"{_FORM}; its parts have letters, digits, '.', '_' and '-' alone")
    return Place(scheme=scheme, bucket=bucket, prefix=prefix)


def supabase_base(url: str) -> str:
    """Return below which address a project's Supabase Storage has its objects."""
    return f"{url.rstrip('/')}/storage/v1/object"


def supabase_links(url: str, bucket: str) -> tuple[str, str]:
    """Return below which addresses others find a bucket's objects there: signed, public."""
    base = supabase_base(url)
    return f"{base}/sign/{bucket}", f"{base}/public/{bucket}"


def s3_public_base(bucket: str, endpoint: str, region: str) -> str:
    """Return below which address others find a public bucket's objects; "" is AWS' endpoint.

    Supabase has them at another place than its S3 endpoint.
    """
    if not endpoint:
        return f"https://{bucket}.s3.{region or 'us-east-1'}.amazonaws.com"
    if endpoint.endswith(_SUPABASE_ENDPOINT):
        return f"{endpoint.removesuffix('s3')}object/public/{bucket}"
    return f"{endpoint}/{bucket}"


def url_of(base: str, key: str) -> str:
    """Return the address of an object below a base."""
    return f"{base.rstrip('/')}/{quote(key)}"
