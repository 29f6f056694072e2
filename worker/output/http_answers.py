"""Answers of a storage over plain HTTP, of which no more is read than is wanted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from worker.output.bucket import ObjectTooLarge

if TYPE_CHECKING:
    from storage3.exceptions import StorageApiError

_LONGEST_REFUSAL: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered: of a refusal the first bytes, of all else one byte more than wanted."""

    status: int
    body: bytes

    def whole(self, name: str, most_bytes: int) -> bytes:
        """Return the body. Raises `ObjectTooLarge`."""
        if len(self.body) > most_bytes:
            raise ObjectTooLarge(name, most_bytes)
        return self.body

    def as_storage_says(self) -> "StorageApiError":
        """Return a refusal as storage3 would raise it: Supabase Storage tells it in its body."""
        from storage3.exceptions import StorageApiError

        told = _told(self.body)
        code = told.get("error") or told.get("code") or ""
        status = _status(told, self.status)
        return StorageApiError(str(told.get("message") or ""), str(code), status)


def read_answer(
    client: httpx.Client,
    address: str,
    headers: Mapping[str, str],
    most_bytes: int,
    known: str = "",
) -> Answer:
    """Ask for an object, unless its ETag is the known one. Raises `httpx.HTTPError`.

    Nothing is decompressed, and no redirection is followed.
    """
    wanted = {**headers, "accept-encoding": "identity"}
    if known:
        wanted["if-none-match"] = f'"{known}"'
    with client.stream("GET", address, headers=wanted) as response:
        good = response.status_code == httpx.codes.OK
        enough = most_bytes + 1 if good else _LONGEST_REFUSAL
        body = bytearray()
        for chunk in response.iter_raw(64 * 1024):
            body += chunk
            if len(body) >= enough:
                break
        return Answer(status=response.status_code, body=bytes(body[:enough]))


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _status(told: Mapping[str, Any], status: int) -> int | str:
    """Return the status that is meant: Supabase Storage may say 404 in an answer of 400."""
    meant = told.get("statusCode")
    return meant if isinstance(meant, int | str) and str(meant).isdigit() else status
