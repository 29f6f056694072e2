"""Outputs in a bucket: sent under a name of the attempt, copied to the task's at the settle."""

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from worker.errors import Fenced, OutputError
from worker.output.at_once import at_once
from worker.output.bucket import (
    Bucket,
    Content,
    StorageRefused,
    StorageUnavailable,
    Stored,
    key_below,
)
from worker.output.place import Place, url_of
from worker.output.pulse import BEAT_S, beating
from worker.output.storage import STALE_S, LocalStorage, hold_nothing, name_in
from worker.patience import Patience

ATTEMPTS: Final = ".attempts"  # one folder of its own, so that what is stale is found at once
CHECK_PATIENCE_S: Final = 30.0
TIDY_PATIENCE_S: Final = 5.0  # what stays is swept a day later
READ_S: Final = 6 * 3600  # an input is read within a task
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """How outputs are named to others.

    Attributes:
        public: Whether by plain addresses, which lead nowhere unless the bucket is public.
        base: What those begin with in place of the bucket's own address, as a domain of a CDN.
        seconds: How long a signed address, the other kind, is good for.
    """

    public: bool = False
    base: str = ""
    seconds: int = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A file that is to be published: the attempt's object, and where it is to be."""

    source: str
    target: str
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketStorage:
    """Keeps outputs in a bucket: `<prefix>/<task id>/<file>`.

    An attempt writes its files on this machine, as with `LocalStorage`. At the settle they are
    sent to `<prefix>/.attempts/<task id>/<token>/<file>`, and seen to be there whole. Then the
    claim is held once more, and only then they are copied, within the bucket, to where others look
    for them: whoever was superseded has overwritten nothing.
    """

    local: LocalStorage
    bucket: Bucket
    place: Place
    links: Links
    patience: Patience
    beat_s: float = BEAT_S
    _sent: set[UUID] = field(default_factory=set, repr=False)

    @property
    def is_remote(self) -> bool:
        """Files are on their way for as long as the network takes."""
        return True

    def check(self) -> list[str]:
        """Write a small object, publish it to another name, and remove both."""
        self.local.check()
        keys = [self.place.key(ATTEMPTS, f"check-{uuid4()}{part}") for part in ("", "-copy")]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "check.txt"
            path.write_text("loop26 may write here\n", encoding="utf-8")
            content = Content.of(path)
            for ask in (
                partial(self._send, keys[0], content),
                partial(self._copy, keys[0], keys[1], content),
                partial(self.bucket.remove, keys),
            ):
                self.patience(ask, seconds=min(CHECK_PATIENCE_S, self.patience.seconds))
        return list(self._warnings())

    def attempt_dir(self, task_id: UUID, token: UUID) -> Path:
        """Make the attempt's own folder on this machine, empty."""
        return self.local.attempt_dir(task_id, token)

    def publish(
        self,
        task_id: UUID,
        token: UUID,
        files: Sequence[Path],
        hold: Callable[[], None] = hold_nothing,
    ) -> tuple[str, ...]:
        """Send the attempt's files and publish them; return their addresses, in order.

        What is there already, of an earlier call, is neither sent nor copied again. Where the
        storage or the claim is lost, nothing of the attempt stays there.
        """
        try:
            return self._publish(task_id, token, files, hold)
        except (OutputError, Fenced):
            if token in self._sent:
                self._tidy(task_id, token, files)
            raise

    def _publish(
        self, task_id: UUID, token: UUID, files: Sequence[Path], hold: Callable[[], None]
    ) -> tuple[str, ...]:
        folder = self.local.folder(task_id, token)
        wanted = [
            _Due(
                source=self._attempt_key(task_id, token, file.name),
                target=self.place.key(str(task_id), name_in(folder, file)),
                content=Content.of(file),
            )
            for file in files
        ]
        with beating(hold, self.beat_s) as pulse:
            there = at_once(
                lambda one: self._is_there(one.target, one.content, pulse.check), wanted
            )
            due = [one for one, is_there in zip(wanted, there, strict=True) if not is_there]
            if due:
                self._sent.add(token)
            at_once(lambda one: self._send_once(one, pulse.check), due)
            pulse.beat()
            # The output itself, the first of the files, after all others.
            at_once(lambda one: self._copy_once(one, pulse.beat), due[1:])
            at_once(lambda one: self._copy_once(one, pulse.beat), due[:1])
        self._tidy(task_id, token, files)
        return tuple(self.patience(partial(self._link, one.target)) for one in wanted)

    def _send_once(self, one: "_Due", between: Callable[[], None]) -> None:
        if not self._is_there(one.source, one.content, between):
            self.patience(partial(self._send, one.source, one.content), between=between)

    def _copy_once(self, one: "_Due", between: Callable[[], None]) -> None:
        self.patience(partial(self._copy, one.source, one.target, one.content), between=between)

    def keep(self, task_id: UUID, file: Path, name: str) -> None:
        """Put a file that this machine keeps of a task beside its outputs, under a name."""
        content = Content.of(file)
        key = self.place.key(str(task_id), name)
        self.patience(lambda: self._send(key, content))

    def readable(self, task_id: UUID, location: str) -> str:
        """Sign a task's output anew where it lies in this bucket; any other stays as it is.

        Of this bucket nothing is signed but what that very task has published.
        """
        key = self._key_of(location)
        if key is None or not key.startswith(self.place.key(str(task_id), "")):
            return location
        return self.patience(
            lambda: self.bucket.signed_url(key, READ_S), seconds=min(30.0, self.patience.seconds)
        )

    def discard(self, task_id: UUID, token: UUID) -> None:
        """Remove what the attempt left, here and in the bucket."""
        if token in self._sent:
            folder = self.local.folder(task_id, token)
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            self._tidy(task_id, token, files)
        self.local.discard(task_id, token)

    def sweep_stale(
        self,
        *,
        live: Collection[UUID] = (),
        older_than_s: float = STALE_S,
        now: float | None = None,
    ) -> list[Path]:
        """Remove what dead attempts left, here and in the bucket; return the folders of here.

        A bucket that does not allow it, or not now, is left as it is.
        """
        oldest = (time.time() if now is None else now) - older_than_s
        try:
            stale = [
                each.key
                for each in self.bucket.listed(self.place.key(ATTEMPTS, ""))
                if each.changed_at.timestamp() < oldest
                and not any(f"/{token}/" in each.key for token in live)
            ]
            if stale:
                self.bucket.remove(stale)
        except OutputError as trouble:
            _log.warning("what dead attempts left in the bucket stays there: %s", trouble)
        return self.local.sweep_stale(live=live, older_than_s=older_than_s, now=now)

    def close(self) -> None:
        """Let go of the connections."""
        self.bucket.close()

    def _send(self, key: str, content: Content) -> None:
        """Write an object and see that it is there whole; another content may be sent again."""
        self.bucket.put(key, content)
        self._verify(key, content)

    def _copy(self, source: str, target: str, content: Content) -> None:
        self.bucket.copy(source, target, content)
        self._verify(target, content)

    def _verify(self, key: str, content: Content) -> None:
        stored = self.bucket.stored(key)
        if stored is None:
            raise StorageRefused(
                f"{self.bucket.name}: what was written there cannot be seen; "
                "let the key read objects too (s3:GetObject)"
            )
        if not self._same(stored, content) and (
            stored.size != content.size or self.bucket.digest(key) != content.sha256
        ):
            raise StorageUnavailable(
                f"{self.bucket.name}: {content.path.name!r} came to be other bytes there "
                f"({stored.size:,} bytes instead of {content.size:,}, or another checksum)"
            )

    def _is_there(self, key: str, content: Content, between: Callable[[], None]) -> bool:
        stored = self.patience(lambda: self.bucket.stored(key), between=between)
        return stored is not None and self._same(stored, content)

    def _same(self, stored: Stored, content: Content) -> bool:
        """Whether size and ETag say so; an ETag that says nothing of the content proves nothing."""
        return stored.size == content.size and stored.etag in content.etags

    def _tidy(self, task_id: UUID, token: UUID, files: Sequence[Path]) -> None:
        keys = [self._attempt_key(task_id, token, file.name) for file in files]
        with contextlib.suppress(OutputError):  # swept a day later
            if keys:
                self.patience(lambda: self.bucket.remove(keys), seconds=TIDY_PATIENCE_S)
        self._sent.discard(token)

    def _attempt_key(self, task_id: UUID, token: UUID, name: str) -> str:
        return self.place.key(ATTEMPTS, str(task_id), str(token), name)

    def _link(self, key: str) -> str:
        if self.links.public:
            return url_of(self.links.base or self.bucket.public_base(), key)
        return self.bucket.signed_url(key, self.links.seconds)

    def _key_of(self, location: str) -> str | None:
        if self.links.base and (key := key_below(location, self.links.base)):
            return key
        return self.bucket.key_of(location)

    def _warnings(self) -> Iterator[str]:
        try:
            next(iter(self.bucket.listed(self.place.key(ATTEMPTS, ""))), None)
        except OutputError as trouble:
            yield (
                f"what dead attempts leave in the bucket stays there: {trouble}; let the key list "
                f"it (s3:ListBucket), or expire {self.place.key(ATTEMPTS, '')} by a rule of the "
                "bucket"
            )
