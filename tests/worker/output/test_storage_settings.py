"""The settings of the storage, and the storage that they name."""

import sys
from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.output.bucket_storage import BucketStorage
from worker.output.storage import LocalStorage
from worker.settings.configuration import HIDDEN, load
from worker.settings.environment import child_environment, secret_names
from worker.settings.storing import open_storage

KEYS = {"s3_access_key_id": "AKIAKEY", "s3_secret_access_key": "s3cr3t"}
PROJECT = {"supabase_url": "https://abc.supabase.co", "supabase_publishable_key": "sb_publishable"}
WORKER = {**PROJECT, "worker_token": "w0rker"}


def test_outputs_stay_here_by_default(tmp_path: Path) -> None:
    """In the home, of which nobody needs to be warned."""
    storage = open_storage(load({"home": tmp_path}).settings)
    assert storage == LocalStorage(tmp_path / "outputs")
    assert storage.check() == []


def test_a_worker_of_a_shared_queue_without_a_storage_is_warned(tmp_path: Path) -> None:
    """What a worker token alone cannot upload is said, with the way out."""
    (warning,) = open_storage(load({"home": tmp_path, **WORKER}).settings).check()
    assert "a worker token cannot upload; set LOOP26_STORAGE to" in warning
    assert "\n" not in warning


def test_a_worker_token_cannot_upload_to_supabase_storage(tmp_path: Path) -> None:
    """Refused at the start, with both ways out."""
    given = {"home": tmp_path, **WORKER, "storage": "supabase://outputs/fleet"}
    with pytest.raises(SettingsError) as caught:
        open_storage(load(given).settings)
    message = str(caught.value)
    assert "set SUPABASE_SECRET_KEY" in message
    assert "LOOP26_STORAGE=s3://outputs/fleet" in message
    assert "AWS_ENDPOINT_URL_S3=https://abc.supabase.co/storage/v1/s3" in message
    assert "w0rker" not in message


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({**KEYS, "storage": "s3://outputs"}, "s3://outputs at AWS"),
        (
            {**PROJECT, "supabase_secret_key": "sb_secret", "storage": "supabase://outputs/fleet"},
            "supabase://outputs at https://abc.supabase.co",
        ),
    ],
)
def test_a_storage_is_opened_by_its_address(
    given: dict[str, str], name: str, tmp_path: Path
) -> None:
    """Nothing is asked of it yet."""
    storage = open_storage(load({"home": tmp_path, **given}).settings)
    assert isinstance(storage, BucketStorage)
    assert storage.bucket.name == name
    storage.close()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"storage": "gs://outputs"}, "must be s3://bucket/prefix or supabase://bucket/prefix"),
        ({"storage": "supabase://outputs"}, "'supabase://outputs': needs SUPABASE_URL; set it"),
        (
            {"storage": "s3://outputs", "s3_access_key_id": "AKIAKEY"},
            "AWS_SECRET_ACCESS_KEY is missing; set both",
        ),
        (
            {"storage": "s3://outputs", "s3_secret_access_key": "s3cr3t"},
            "AWS_ACCESS_KEY_ID is missing; set both",
        ),
        (
            {**KEYS, "storage": "s3://outputs", "signed_url_days": 30},
            "signed_url_days = 30 is more than the protocol's 7; lower it",
        ),
        (
            {
                **KEYS,
                "storage": "s3://outputs",
                "output_urls": "public",
                "s3_endpoint_url": "https://abc.r2.cloudflarestorage.com",
            },
            "output_urls = public needs public_url_base",
        ),
        ({"output_urls": "private"}, "output_urls = 'private'"),
        ({"public_url_base": "media.example.org"}, "must be an address"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(
    given: dict[str, object], problem: str
) -> None:
    """With the value and the way out, and without a key."""
    with pytest.raises(SettingsError) as caught:
        load(given)
    message = str(caught.value)
    assert problem in message
    assert "\n" not in message
    assert "s3cr3t" not in message


def test_an_endpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    """Where boto3 is what sees it."""
    given = {**KEYS, "storage": "s3://outputs", "s3_endpoint_url": "http://a b/"}
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL_S3"):
        open_storage(load({"home": tmp_path, **given}).settings)


def test_keys_are_secrets_that_no_child_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names that every tool of S3 knows them by."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name in names:
        monkeypatch.setenv(name, "s3cr3t")
    assert not set(names) & set(child_environment())
    wanted = {"s3_access_key_id", "s3_secret_access_key", "s3_session_token"}
    assert wanted <= secret_names()
    shown = {row.name: row.value for row in load().explain()}
    assert {shown[name] for name in wanted} == {HIDDEN}


def test_boto3_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    settings = load({"home": tmp_path, **KEYS, "storage": "s3://outputs"}).settings
    with pytest.raises(SettingsError, match=r"install loop26\[s3\]"):
        open_storage(settings)


def test_an_endpoint_with_a_password_in_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be shown wherever the storage is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://u:s3cr3t@minio.example.org")
    with pytest.raises(SettingsError, match="must name no user") as caught:
        load()
    assert "s3cr3t" not in str(caught.value)
