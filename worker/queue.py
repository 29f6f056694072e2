"""Which queue the settings name: the home's own, or that of a Supabase project."""

from typing import TYPE_CHECKING

from worker.errors import SettingsError
from worker.settings import Settings
from worker.store.base import PATIENCE_S, TaskStore
from worker.store.local import LocalStore

if TYPE_CHECKING:
    from worker.store.supabase import SupabaseStore


def is_shared(settings: Settings) -> bool:
    """Whether the queue is one that many machines share."""
    return settings.supabase_url is not None


def open_as_worker(settings: Settings) -> TaskStore:
    """Open the queue with a worker's right: its token, or the secret key where it has none.

    Raises `QueueUnavailable`, `QueueIncompatible` for a local queue; a shared one is asked first by
    its first call.
    """
    token = settings.worker_token.get_secret_value() if settings.worker_token else ""
    if token and settings.public_key:
        return _open(settings, settings.public_key, token)
    return _open(settings, settings.operator_key, "")


def open_as_operator(settings: Settings) -> TaskStore:
    """Open the queue with an operator's right: the secret key, or a worker's where there is none.

    Raises as `open_as_worker` does.
    """
    if is_shared(settings) and not settings.operator_key:
        return open_as_worker(settings)
    return _open(settings, settings.operator_key, "")


def open_shared(settings: Settings, key: str, worker_token: str = "") -> "SupabaseStore":
    """Open a shared queue with this right; its first call asks for it.

    Raises `SettingsError` for a key or a token that no request could carry: nothing shows it.
    """
    # Loaded where there is a project: half a second that a local queue need not wait.
    from worker.store.supabase import SupabaseStore
    from worker.store.supabase.connection import Access

    _refuse_unsendable("LOOP26_WORKER_TOKEN", worker_token)
    secret = key == settings.operator_key
    _refuse_unsendable("SUPABASE_SECRET_KEY" if secret else "SUPABASE_PUBLISHABLE_KEY", key)
    access = Access(
        url=settings.supabase_url or "",
        key=key,
        worker_token=worker_token,
        rest_url=settings.supabase_rest_url or "",
    )
    return SupabaseStore(access)


def _open(settings: Settings, key: str, worker_token: str) -> TaskStore:
    if is_shared(settings):
        return open_shared(settings, key, worker_token)
    return LocalStore(settings.queue_path, busy_timeout_s=PATIENCE_S)


def _refuse_unsendable(name: str, secret: str) -> None:
    if not all("!" <= character <= "~" for character in secret):
        raise SettingsError(
            f"{name} cannot be sent: it has a character that no key has, a line break or a space "
            "perhaps; copy it again, without quotes and without what comes after it"
        )
