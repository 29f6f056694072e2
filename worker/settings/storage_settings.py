"""The settings of the storage: where outputs go, with what key, and how others are told of them."""

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from worker.output.place import S3, parse_place
from worker.settings.queue_settings import QueueSettings
from worker.settings.setting_types import WebAddress

_LONGEST_S3_DAYS = 7  # a signature of the S3 protocol is good for no longer
_R2 = ".r2.cloudflarestorage.com"


class StorageSettings(QueueSettings):
    """Where the files go that tasks make."""

    storage: str | None = Field(
        default=None,
        description="Where outputs go: s3:// or supabase://bucket/prefix; unset keeps them here.",
    )
    s3_endpoint_url: WebAddress | None = Field(
        default=None,
        validation_alias="AWS_ENDPOINT_URL_S3",
        description="Where the S3 protocol is spoken: R2, MinIO, Supabase; unset is AWS itself.",
    )
    s3_region: str | None = Field(
        default=None,
        validation_alias="AWS_REGION",
        pattern=r"^[a-z0-9-]+$",
        description="Region of the bucket; auto for R2, the project's for Supabase.",
    )
    s3_access_key_id: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_ACCESS_KEY_ID",
        description="Key of the bucket, best limited to it; unset, the machine's own role.",
    )
    s3_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY", description="The key's secret."
    )
    s3_session_token: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_SESSION_TOKEN",
        description="Of a key that is lent for a while.",
    )
    output_urls: Literal["signed", "public"] = Field(
        default="signed",
        description="How outputs are named: signed addresses, or those of a public bucket.",
    )
    signed_url_days: float = Field(
        default=7.0, gt=0, le=3650, description="Days that a signed address is good for."
    )
    public_url_base: WebAddress | None = Field(
        default=None,
        description="What public addresses begin with, where a CDN stands before the bucket.",
    )
    storage_patience_s: float = Field(
        default=300.0,
        gt=0,
        le=86400,
        description="Seconds for which one thing is asked of a storage that cannot do it now.",
    )
    fetch_black_boxes: bool = Field(
        default=True,
        description="Whether a report fetches a failure's record that this machine does not have.",
    )

    @field_validator("storage")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return None if value is None else str(parse_place(value))

    @model_validator(mode="after")
    def _addresses_name_no_user(self) -> Self:
        # Here, and not of each field: that would repeat what it refuses.
        named = {
            "AWS_ENDPOINT_URL_S3": self.s3_endpoint_url,
            "public_url_base": self.public_url_base,
        }
        for name, value in named.items():
            if "@" in (value or "").partition("://")[2].partition("/")[0]:
                raise ValueError(f"{name} must name no user; a key goes into AWS_ACCESS_KEY_ID")
        return self

    @model_validator(mode="after")
    def _storage_is_whole(self) -> Self:
        if self.storage is None:
            return self
        if problem := _problem_of_s3(self) if self.storage.startswith(S3) else _problem(self):
            raise ValueError(f"storage = {self.storage!r}: {problem}")
        return self


def _problem_of_s3(settings: StorageSettings) -> str:
    if (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        missing = "SECRET_ACCESS_KEY" if settings.s3_access_key_id else "ACCESS_KEY_ID"
        return f"AWS_{missing} is missing; set both, or neither for the machine's own role"
    if settings.output_urls == "signed" and settings.signed_url_days > _LONGEST_S3_DAYS:
        return (
            f"signed_url_days = {settings.signed_url_days:g} is more than the protocol's "
            f"{_LONGEST_S3_DAYS}; lower it, or set output_urls = public"
        )
    if (
        settings.output_urls == "public"
        and not settings.public_url_base
        and _R2 in (settings.s3_endpoint_url or "")
    ):
        return (
            "output_urls = public needs public_url_base: R2 shows a bucket under a domain of its "
            "own alone; set LOOP26_PUBLIC_URL_BASE to it"
        )
    return ""


def _problem(settings: StorageSettings) -> str:
    if not settings.supabase_url:
        return f"needs SUPABASE_URL; set it, or use {S3}://"
    return ""
