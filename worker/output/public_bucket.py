"""A public bucket, read by the addresses of its objects, as by anybody."""

from typing import Final

import httpx

from worker.output.bucket import ObjectMissing, StorageRefused, StorageUnavailable
from worker.output.http_answers import read_answer
from worker.output.place import url_of

_SERVER_ERROR: Final = 500
_PASSING: Final = frozenset({408, 425, 429})
# S3 and Supabase Storage answer in these ways of what is not there, or is not for everybody.
_MISSING: Final = frozenset({400, 403, 404})


class PublicBucket:
    """Reads what everybody may."""

    def __init__(self, base: str, *, answer_s: float) -> None:
        self._base = base
        self._http = httpx.Client(timeout=answer_s)
        self.name = f"the public bucket at {base}"

    def read(self, key: str, most_bytes: int, known: str = "") -> bytes | None:
        """Read an object that is not large."""
        try:
            answer = read_answer(self._http, url_of(self._base, key), {}, most_bytes, known)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise StorageRefused(f"{self.name}: that is no address that can be asked") from None
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise StorageUnavailable(f"{self.name} gave no answer: {kind}") from None
        status = answer.status
        if status == httpx.codes.NOT_MODIFIED:
            return None
        if status == httpx.codes.OK:
            return answer.whole(self.name, most_bytes)
        if status >= _SERVER_ERROR or status in _PASSING:
            raise StorageUnavailable(f"{self.name} answered {status}; it cannot do it now")
        if status in _MISSING:
            raise ObjectMissing(self.name, ", or shows it not to everybody")
        raise StorageRefused(f"{self.name} answered {status}")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
