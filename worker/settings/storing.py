"""The storage that the settings name, ready to be used."""

import logging

from pydantic import SecretStr

from worker.errors import SettingsError
from worker.output.bucket import ANSWER_S, Bucket, Reader
from worker.output.bucket_storage import BucketStorage, Links
from worker.output.place import (
    S3,
    Place,
    parse_place,
    s3_public_base,
    supabase_links,
    url_of,
)
from worker.output.storage import LocalStorage, Storage
from worker.patience import Patience
from worker.settings.settings import Settings

_DAY_S = 86_400
_log = logging.getLogger(__name__)


def open_storage(settings: Settings) -> Storage:
    """Make the storage; nothing is asked of it yet.

    Raises:
        SettingsError: The keys that are set may not upload to it, or what it needs is not there.
    """
    local = LocalStorage(settings.outputs_dir, shared_queue=settings.supabase_url is not None)
    if settings.storage is None:
        return local
    place = parse_place(settings.storage)
    return BucketStorage(
        local=LocalStorage(settings.outputs_dir),
        bucket=_bucket(settings, place),
        place=place,
        links=Links(
            public=settings.output_urls == "public",
            base=settings.public_url_base or "",
            seconds=int(settings.signed_url_days * _DAY_S),
        ),
        patience=Patience(
            settings.storage_patience_s,
            first_s=0.2,
            longest_s=10.0,
            tell=lambda trouble: _log.warning("asked again: %s", trouble),
        ),
        beat_s=settings.heartbeat_s,
    )


def own_addresses(settings: Settings) -> tuple[str, ...]:
    """Return what the addresses of outputs begin with, where the storage may be a private server.

    AWS is none: there the rules for any address hold.
    """
    if settings.storage is None:
        return ()
    place = parse_place(settings.storage)
    if place.scheme != S3:
        bases = supabase_links(settings.supabase_url or "", place.bucket)
        return tuple(url_of(base, place.key()) for base in bases)
    endpoint = settings.s3_endpoint_url
    return (url_of(f"{endpoint.rstrip('/')}/{place.bucket}", place.key()),) if endpoint else ()


def open_reader(settings: Settings, place: Place, *, answer_s: float) -> Reader:
    """Make what reads the bucket: with the key that is set, else as anybody where that is public.

    Args:
        settings: Hold the keys.
        place: Where the bucket is, as the settings name it.
        answer_s: How long each piece of an answer is waited for.

    Raises:
        SettingsError: There is no key that may read it, or what it needs is not there.
    """
    has_key = settings.s3_access_key_id if place.scheme == S3 else settings.operator_key
    if settings.output_urls == "public" and not has_key:
        from worker.output.public_bucket import PublicBucket

        return PublicBucket(_public_base(settings, place), answer_s=answer_s)
    if place.scheme != S3 and not has_key:
        raise SettingsError(f"{place} is read with a key; set SUPABASE_SECRET_KEY")
    return _bucket(settings, place, answer_s=answer_s)


def _public_base(settings: Settings, place: Place) -> str:
    if settings.public_url_base:
        return settings.public_url_base
    if place.scheme == S3:
        endpoint = (settings.s3_endpoint_url or "").rstrip("/")
        return s3_public_base(place.bucket, endpoint, settings.s3_region or "")
    _, public = supabase_links(settings.supabase_url or "", place.bucket)
    return public


def _bucket(settings: Settings, place: Place, *, answer_s: float = ANSWER_S) -> Bucket:
    if place.scheme == S3:
        from worker.output.s3_bucket import S3Access, S3Bucket

        access = S3Access(
            endpoint_url=settings.s3_endpoint_url or "",
            region=settings.s3_region or "",
            key_id=settings.s3_access_key_id,
            secret=settings.s3_secret_access_key,
            session_token=settings.s3_session_token,
            answer_s=answer_s,
        )
        return S3Bucket(place, access)
    from worker.output.supabase_bucket import SupabaseBucket

    url = settings.supabase_url or ""
    if not settings.operator_key:
        raise SettingsError(
            f"storage = {settings.storage!r}: a worker token cannot upload; set "
            f"SUPABASE_SECRET_KEY, or LOOP26_STORAGE={S3}://{place.bucket}/{place.prefix} with "
            f"AWS_ENDPOINT_URL_S3={url.rstrip('/')}/storage/v1/s3 and an access key of the "
            "project's storage settings"
        )
    return SupabaseBucket(place, url, SecretStr(settings.operator_key), answer_s=answer_s)
