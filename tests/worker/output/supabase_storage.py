"""What Supabase Storage answers, on loopback: the endpoints that storage3 asks, and their errors.

No server of it can be had. The answers are those of its API as storage3 reads them; what storage3
sends is checked here, so that a request of another form fails its test.
"""

import email.parser
import email.policy
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.loopback import Loopback

SECRET_KEY = "sb_secret_0123456789abcdefghijklmnopqrstuv"  # noqa: S105 - of a test
PREFIX = "/storage/v1/object"


@dataclass(slots=True)
class Kept:
    """An object."""

    body: bytes
    type: str
    metadata: dict[str, str] = field(default_factory=dict)
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class SupabaseStorage(Loopback):
    """One bucket, for the length of a `with` block.

    Attributes:
        objects: By their names.
        replaces: Whether a copy may replace its target, when it is asked to: older servers refuse.
        max_bytes: The limit of an object.
        etags: Whether an ETag is the MD5 of an object, as it is not of one sent in parts.
        public: Whether everybody may read an object by its name.
    """

    def __init__(self, bucket: str = "outputs") -> None:
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), _Handler))
        self.bucket = bucket
        self.objects: dict[str, Kept] = {}
        self.replaces = True
        self.max_bytes = 50_000_000
        self.etags = True
        self.public = False
        vars(self._server)["storage"] = self

    def upload(self, key: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Take a form with `cacheControl`, `metadata` and the file."""
        form = _form(headers["Content-Type"], body)
        assert set(form) == {"cacheControl", "metadata", "file"}, sorted(form)
        content, content_type = form["file"]
        assert form["cacheControl"][0] == b"3600"
        if len(content) > self.max_bytes:
            return refusal(413, "Payload too large", "The object exceeded the maximum allowed size")
        if key in self.objects and headers.get("x-upsert") != "true":
            return refusal(409, "Duplicate", "The resource already exists")
        metadata = json.loads(form["metadata"][0])
        self.objects[key] = Kept(body=content, type=content_type, metadata=metadata)
        return 200, {"Id": "1", "Key": f"{self.bucket}/{key}"}

    def info(self, key: str) -> tuple[int, Any]:
        """Tell of an object."""
        kept = self.objects.get(key)
        if kept is None:
            return refusal(404, "not_found", "Object not found")
        return 200, {
            "id": "1",
            "name": key,
            "size": len(kept.body),
            "content_type": kept.type,
            "etag": self._etag(kept),
            "metadata": kept.metadata,
            "last_modified": kept.changed_at.isoformat(),
        }

    def read(self, key: str, known: str | None = None) -> tuple[int, Any]:
        """Give an object's bytes, unless its ETag is the known one."""
        kept = self.objects.get(key)
        if kept is None:
            return refusal(404, "not_found", "Object not found")
        return (304, b"") if known == self._etag(kept) else (200, kept.body)

    def copy(self, headers: Any, asked: dict[str, Any]) -> tuple[int, Any]:
        """Copy an object."""
        assert set(asked) == {"bucketId", "sourceKey", "destinationKey"}
        source, target = asked["sourceKey"], asked["destinationKey"]
        if source not in self.objects:
            return refusal(404, "not_found", "Object not found")
        if target in self.objects and not (self.replaces and headers.get("x-upsert") == "true"):
            return refusal(409, "Duplicate", "The resource already exists")
        kept = self.objects[source]
        self.objects[target] = Kept(body=kept.body, type=kept.type, metadata=kept.metadata)
        return 200, {"Key": f"{self.bucket}/{target}"}

    def remove(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Remove objects."""
        gone = [key for key in asked["prefixes"] if self.objects.pop(key, None)]
        return 200, [{"name": key} for key in gone]

    def list(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """List one folder: what lies in it, and the folders in it, which have no id."""
        folder = f"{asked['prefix'].rstrip('/')}/".lstrip("/")
        below = sorted(key.removeprefix(folder) for key in self.objects if key.startswith(folder))
        names = list(dict.fromkeys(name.partition("/")[0] for name in below))
        page = names[asked["offset"] : asked["offset"] + asked["limit"]]
        return 200, [self._row(folder, name) for name in page]

    def sign(self, key: str, asked: dict[str, Any]) -> tuple[int, Any]:
        """Sign an address."""
        if key not in self.objects:
            return refusal(404, "not_found", "Either the object does not exist or you may not")
        token = f"eyJ.{asked['expiresIn']}.sig"
        return 200, {"signedURL": f"/object/sign/{self.bucket}/{key}?token={token}"}

    def _etag(self, kept: Kept) -> str:
        md5 = hashlib.md5(kept.body, usedforsecurity=False).hexdigest()
        return f'"{md5}"' if self.etags else '"0123-7"'

    def _row(self, folder: str, name: str) -> dict[str, Any]:
        kept = self.objects.get(folder + name)
        if kept is None:
            return {"name": name, "id": None, "updated_at": None, "created_at": None}
        return {"name": name, "id": "1", "updated_at": kept.changed_at.isoformat()}


class _Handler(BaseHTTPRequestHandler):
    """One connection to the self._storage."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet
    disable_nagle_algorithm = True

    @property
    def _storage(self) -> SupabaseStorage:
        storage: SupabaseStorage = vars(self.server)["storage"]
        return storage

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_any(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = self._answered(body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    # The names that http.server calls.
    do_GET = do_POST = do_DELETE = do_any  # noqa: N815 - as above

    def _answered(self, body: bytes) -> tuple[int, Any]:
        url = urlsplit(self.path)
        path = unquote(url.path).removeprefix(f"{PREFIX}/")
        signed = path.removeprefix(f"sign/{self._storage.bucket}/")
        if self.command == "GET" and signed != path and url.query.startswith("token="):
            return 200, self._storage.objects[signed].body
        public = path.removeprefix(f"public/{self._storage.bucket}/")
        if self.command == "GET" and public != path:
            if not self._storage.public:
                return refusal(404, "Bucket not found", "Bucket not found")
            return self._storage.read(public, self.headers.get("If-None-Match"))
        keys = {self.headers.get("apikey"), self.headers.get("Authorization")}
        if keys != {SECRET_KEY, f"Bearer {SECRET_KEY}"}:
            return refusal(403, "Unauthorized", f"signature verification failed {keys}")
        return self._asked(path, body)

    def _asked(self, path: str, body: bytes) -> tuple[int, Any]:
        what, _, rest = path.partition("/")
        if self.command == "POST" and path == "copy":
            asked = json.loads(body)
            return self._in(asked["bucketId"], lambda: self._storage.copy(self.headers, asked))
        if what in {"info", "list", "sign"}:
            bucket, _, key = rest.partition("/")
            asked = json.loads(body) if body else {}
            call = {
                "info": lambda: self._storage.info(key),
                "list": lambda: self._storage.list(asked),
                "sign": lambda: self._storage.sign(key, asked),
            }[what]
            return self._in(bucket, call)
        if self.command == "DELETE":
            return self._in(what, lambda: self._storage.remove(json.loads(body)))
        if self.command == "GET":
            known = self.headers.get("If-None-Match")
            return self._in(what, lambda: self._storage.read(rest, known))
        assert self.command == "POST"
        return self._in(what, lambda: self._storage.upload(rest, self.headers, body))

    def _in(self, bucket: str, call: Any) -> tuple[int, Any]:
        if bucket != self._storage.bucket:
            return refusal(404, "Bucket not found", "Bucket not found")
        answer: tuple[int, Any] = call()
        return answer


def refusal(status: int, error: str, message: str) -> tuple[int, Any]:
    """Answer as the storage does: 400, with the status that it means in the body."""
    return 400, {"statusCode": str(status), "error": error, "message": message}


def _form(content_type: str, body: bytes) -> dict[str, tuple[bytes, str]]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    whole = parser.parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    found = {}
    for part in whole.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = (part.get_payload(decode=True), part.get_content_type())
    return found
