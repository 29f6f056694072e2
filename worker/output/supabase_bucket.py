"""A bucket of Supabase Storage, through supabase-py, with the project's secret key."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
from pydantic import SecretStr

from worker.output.bucket import (
    ANSWER_S,
    Content,
    Listed,
    ObjectMissing,
    StorageRefused,
    Stored,
    key_below,
)
from worker.output.http_answers import read_answer
from worker.output.place import SUPABASE, Place, supabase_base, supabase_links
from worker.output.supabase_refusals import is_missing, is_taken, refusal_of

if TYPE_CHECKING:
    from storage3._sync.file_api import SyncBucketProxy

_CONNECT_S: Final = 10.0
_PAGE: Final = 1000
_UPSERT: Final = {"x-upsert": "true"}
_T = TypeVar("_T")


class SupabaseBucket:
    """A bucket that storage3 speaks to, over an HTTP client of our own.

    Supabase Storage takes no checksum with an upload. It names the ETag of what it has kept, which
    is its MD5 where the bytes came in one piece; what has another ETag is read back.
    """

    def __init__(
        self, place: Place, url: str, key: SecretStr, *, answer_s: float = ANSWER_S
    ) -> None:
        from supabase import create_client
        from supabase.lib.client_options import SyncClientOptions

        self._bucket = place.bucket
        self._http = httpx.Client(
            timeout=httpx.Timeout(answer_s, connect=min(_CONNECT_S, answer_s))
        )
        options = SyncClientOptions(
            auto_refresh_token=False,
            persist_session=False,
            headers=_UPSERT,  # a copy replaces what is there, as an upload does
            httpx_client=self._http,
        )
        self._client = create_client(url, key.get_secret_value(), options=options)
        self._base = supabase_base(url)
        self._links = supabase_links(url, place.bucket)
        self.name = f"{SUPABASE}://{place.bucket} at {url}"

    def put(self, key: str, content: Content) -> None:
        """Write an object whole; its file is read as it is sent."""

        def send() -> None:
            with content.path.open("rb") as file:
                self._files.upload(
                    key,
                    file,
                    {
                        "content-type": content.type,
                        "upsert": "true",
                        "metadata": {"sha256": content.sha256},
                    },
                )

        self._asked(send)

    def stored(self, key: str) -> Stored | None:
        """Say what is kept under a name."""

        def ask() -> Stored | None:
            try:
                info = self._files.info(key)
            except Exception as error:
                if is_missing(error):
                    return None
                raise
            return Stored(size=int(info["size"]), etag=str(info.get("etag") or "").strip('"'))

        return self._asked(ask)

    def digest(self, key: str) -> str:
        """Read an object back and return its sha256; storage3 itself would hold it in memory."""

        def read() -> str:
            from storage3.exceptions import StorageApiError

            sha256 = hashlib.sha256()
            headers = {**self._client.options.headers}
            with self._http.stream("GET", self._address(key), headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    raise StorageApiError("", "", response.status_code)
                for chunk in response.iter_bytes():
                    sha256.update(chunk)
            return sha256.hexdigest()

        return self._asked(read)

    def read(self, key: str, most_bytes: int, known: str = "") -> bytes | None:
        """Read an object that is not large; storage3 itself would hold one of any size."""
        address, headers = self._address(key), self._client.options.headers
        answer = self._asked(lambda: read_answer(self._http, address, headers, most_bytes, known))
        if answer.status == httpx.codes.NOT_MODIFIED:
            return None
        if answer.status == httpx.codes.OK:
            return answer.whole(self.name, most_bytes)
        refusal = answer.as_storage_says()
        raise ObjectMissing(self.name) if is_missing(refusal) else refusal_of(refusal, self.name)

    def copy(self, source: str, target: str, content: Content) -> None:
        """Copy within the bucket; a server that replaces nothing has the target removed first."""
        del content  # its type is copied with it

        def copy() -> None:
            try:
                self._files.copy(source, target)
            except Exception as error:
                if not is_taken(error):
                    raise
                self._files.remove([target])
                self._files.copy(source, target)

        self._asked(copy)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects."""
        for start in range(0, len(keys), _PAGE):
            page = list(keys[start : start + _PAGE])
            self._asked(partial(self._files.remove, page))

    def listed(self, folder: str) -> Iterator[Listed]:
        """List the objects under a folder, and under the folders in it."""
        for found in self._rows(folder.rstrip("/")):
            key = f"{folder}{found['name']}"
            if found.get("id") is None:  # a folder
                yield from self.listed(f"{key}/")
            else:
                yield Listed(key=key, changed_at=_moment(found))

    def public_base(self) -> str:
        """The address below which a public bucket's objects lie."""
        _, public = self._links
        return public

    def signed_url(self, key: str, seconds: int) -> str:
        """Have an address signed."""
        signed = self._asked(lambda: self._files.create_signed_url(key, seconds))
        url = signed.get("signedURL") or signed.get("signedUrl")
        if not url:
            raise StorageRefused(f"{self.name}: no address was signed; see the storage's version")
        return str(url)

    def key_of(self, url: str) -> str | None:
        """Return the object's name in an address that is signed, or public."""
        return next((key for base in self._links if (key := key_below(url, base))), None)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _address(self, key: str) -> str:
        return f"{self._base}/{self._bucket}/{key}"

    @property
    def _files(self) -> "SyncBucketProxy":
        return self._client.storage.from_(self._bucket)

    def _rows(self, folder: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._asked(
                partial(self._files.list, folder, {"limit": _PAGE, "offset": offset})
            )
            yield from page
            if len(page) < _PAGE:
                return
            offset += _PAGE

    def _asked(self, ask: Callable[[], _T]) -> _T:
        """Ask, and raise what is wrong outside of the frames that hold the key."""
        from storage3.exceptions import StorageApiError

        try:
            return ask()
        except (StorageApiError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            refusal = refusal_of(error, self.name)
        raise refusal


def _moment(found: dict[str, Any]) -> datetime:
    """When an object was written; now, where nothing says it, so that it is left alone."""
    try:
        return datetime.fromisoformat(str(found.get("updated_at") or found.get("created_at")))
    except ValueError:
        return datetime.now(UTC)
