"""The recorder: implements OpenTelemetry's API and writes to the journal."""

import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind

from telemetry import names
from telemetry.journal import JournalWriter
from telemetry.journal.writer import ROTATE_BYTES
from telemetry.recorder import active, hidden_prompts, provider
from telemetry.recorder.attributes import clean, plain, small
from telemetry.recorder.capture import Place
from telemetry.recorder.error_writer import ErrorWriter
from telemetry.recorder.guard import Guard
from telemetry.recorder.hooks import Hooks
from telemetry.recorder.logs import JournalHandler
from telemetry.recorder.own_code import FACT, IN_APP, OUR_PACKAGES, OwnCode
from telemetry.recorder.plumbing import is_plumbing, shown_file
from telemetry.recorder.recorded_span import RecordedSpan, packed_links, parent_of
from telemetry.recorder.redaction import Redactor, redacted
from telemetry.recorder.scopes import PLACE, SpanScope, TaskScope
from telemetry.recorder.values import scalar
from telemetry.records import Error, Kind, ProcessEnd, SpanBegin, TaskBegin

TASK_ROLE: Final = "task"
_INTERNAL: Final = SpanKind.INTERNAL.value
# Looked up once: a span begins in a few microseconds.
_SPAN_BEGIN: Final = Kind.SPAN_BEGIN
_CODE_FILE: Final = names.CODE_FILE
_CODE_LINE: Final = names.CODE_LINE
_CODE_FUNCTION: Final = names.CODE_FUNCTION


class Recorder:
    """Writes what a process does to its journal, before the next line of the program runs.

    No method raises because of a fault of telemetry: `faults` counts them.

    Attributes:
        writer: The journal.
        journal: Name of the journal's directory.
        redactor: What is hidden.
        guard: What contains faults.
        errors: What writes exceptions.
        task_scope: The attempt at a task that runs now.
        log_handler: What brings standard logging here; None until `install`.
    """

    def __init__(
        self,
        writer: JournalWriter,
        *,
        record_prompts: bool = True,
        own: OwnCode = OUR_PACKAGES,
    ) -> None:
        self.writer = writer
        self.journal = writer.directory.name
        self.redactor = Redactor(record_prompts=record_prompts)
        self.guard = Guard()
        self.task_scope: TaskScope | None = None
        self.errors = ErrorWriter(self, own)
        self._hooks = Hooks(self)
        # Its own source of ids: a task may seed the global one, twice with the same number.
        self._random = random.Random(os.urandom(32))  # noqa: S311 - ids, not secrets
        self.log_handler: JournalHandler | None = None

    @classmethod
    def open(
        cls,
        spool: Path,
        *,
        role: str,
        facts: Mapping[str, Any] | None = None,
        record_prompts: bool = True,
        in_app: Sequence[str] = IN_APP,
        own_code: Sequence[str] = (),
        rotate_bytes: int = ROTATE_BYTES,
        patient: bool = False,
    ) -> Self:
        """Start this process's journal under a spool.

        Args:
            spool: Folder of all journals, made if it is not there.
            role: "task", "supervisor" or "cli".
            facts: What a report should know of the process; made plain and clean before written.
            record_prompts: Whether the values of prompts may be written.
            in_app: Packages whose frames are our own.
            own_code: Folders whose code is our own, too: see `OwnCode`.
            rotate_bytes: Size after which the journal goes on in a new file.
            patient: Wait for a spool that can be written, whatever is wrong with it.

        Raises `OSError` when the spool cannot be written; a full disk is waited for in any case.
        What is recorded meanwhile is lost, and counted.
        """
        own = OwnCode(in_app, own_code)
        # Who reads the stacks of its death knows its code by them.
        given = {**(facts or {}), **({FACT: list(own.folders)} if own.folders else {})}
        clean_facts = plain(given, Redactor(record_prompts=record_prompts))
        writer = JournalWriter.create(
            spool, role=role, facts=clean_facts, rotate_bytes=rotate_bytes, patient=patient
        )
        return cls(writer, record_prompts=record_prompts, own=own)

    @property
    def faults(self) -> int:
        """How many faults of telemetry were contained."""
        return self.guard.faults

    @property
    def place(self) -> Place:
        """The stage and the iteration that this thread or coroutine is in."""
        return PLACE.get()

    def install(self) -> None:
        """Become the recorder of this process: its OpenTelemetry provider, its log handler.

        In a task process, exceptions that a task swallows are found, too: see
        `telemetry.recorder.hooks`.
        """
        active.set_current(self)
        provider.become_global()
        root = logging.getLogger()
        self.log_handler = JournalHandler(self)
        root.addHandler(self.log_handler)
        # Python's default would keep all below WARNING from every handler.
        root.setLevel(min(root.level, logging.INFO))
        if self.writer.facts.role == TASK_ROLE:
            self._hooks.install()

    def span(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        context: Context | None = None,
        links: Sequence[Link] = (),
        start_ns: int | None = None,
        span_id: bytes | None = None,
        trace_id: bytes | None = None,
    ) -> AbstractContextManager[RecordedSpan]:
        """Open a span that is current in the block.

        Args:
            name: From `telemetry.names`.
            attributes: Of any type, see `telemetry.recorder.attributes.clean`.
            kind: The span's kind.
            context: The parent's context; the current one if not given.
            links: Spans of other traces that belong to it.
            start_ns: When it began, if not now.
            span_id: Its id, if that was given in advance.
            trace_id: Its trace, if that was given in advance; a parent in another trace is none.
        """
        return SpanScope(
            self, name, attributes, kind.value, context, links, start_ns, (trace_id, span_id)
        )

    def stage(self, name: str) -> AbstractContextManager[RecordedSpan]:
        """Open the span `stage <name>`; errors in the block are attributed to the stage."""
        facts = {names.STAGE_NAME: name}
        place = Place(stage=name)
        if self.task_scope is not None:
            self.task_scope.place = self.task_scope.place._replace(stage=name)
        return SpanScope(self, names.stage(name), facts, _INTERNAL, place=place)

    def iteration(
        self, index: int, count: int, attributes: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[RecordedSpan]:
        """Open the span of iteration `index` (from 1) of `count`; errors are attributed to it."""
        place = Place(PLACE.get().stage, index, count)
        if self.task_scope is not None:
            self.task_scope.place = place
        facts = {names.LOOP_INDEX: index, names.LOOP_COUNT: count, **(attributes or {})}
        return SpanScope(self, names.LOOP_ITERATION, facts, _INTERNAL, place=place)

    def engine_call(
        self, call: str, *, engine: str, model: str, params: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[RecordedSpan]:
        """Open the span `engine <call>`, with each scalar of `params` as an attribute."""
        facts: dict[str, Any] = {names.ENGINE_NAME: engine, names.ENGINE_MODEL: model}
        with self.guard:
            for name, value in (params or {}).items():
                if value is None or scalar(value) is not None:
                    facts[names.ENGINE_PARAM + name] = value
        return SpanScope(self, names.engine(call), facts, _INTERNAL)

    def task(
        self,
        *,
        task_id: str,
        attempt: int,
        task_type: str,
        trace_id: bytes,
        worker_id: str,
        params: Mapping[str, Any] | None = None,
    ) -> AbstractContextManager[TaskScope]:
        """Mark the records of the block as those of one attempt at a task.

        With its parameters, an error of any stage can say what was asked.
        """
        asked: dict[str, Any] = {}
        hidden_prompts.begin_task()
        with self.guard:
            asked = small(plain(dict(params or {}), self.redactor))
        begin = TaskBegin(
            task_id=task_id,
            attempt=attempt,
            task_type=task_type,
            trace_id=trace_id,
            worker_id=worker_id,
            at_ns=time.time_ns(),
            params=asked,
        )
        return TaskScope(self, begin)

    def error(self, exc: BaseException, *, kind: str = "exception", handled: bool = False) -> Error:
        """Write an exception down, whole, and return what was written.

        An exception that has left spans is attributed to the innermost of them and to the place
        it had there. A second call with the same exception object writes nothing and returns the
        first call's answer; but one that was written as handled, and then went on, is written
        again, with all frames that it has left since.
        """
        return self.errors.error(exc, kind=kind, handled=handled)

    def begin(
        self,
        context: Context | None,
        frame: FrameType,
        name: str,
        attributes: Mapping[str, Any] | None,
        kind: int,
        links: Sequence[Link] = (),
        start_ns: int | None = None,
        ids: tuple[bytes | None, bytes | None] = (None, None),
    ) -> RecordedSpan:
        """Begin a span: `span` does, and OpenTelemetry's tracer. `frame` is the caller's."""
        getrandbits = self._random.getrandbits
        given_trace_id, given_span_id = ids
        trace_id, parent_id, state = parent_of(context)
        if given_trace_id is not None and given_trace_id != trace_id:
            trace_id, parent_id, state = given_trace_id, None, None
        if trace_id is None:
            trace_id = (getrandbits(128) or 1).to_bytes(16, "big")
        span_id = given_span_id or (getrandbits(64) or 1).to_bytes(8, "big")
        begun_ns = time.time_ns() if start_ns is None else start_ns
        cleaned = clean(attributes, self.redactor) if attributes else {}
        code = frame.f_code
        while is_plumbing(code.co_filename) and frame.f_back is not None:
            frame = frame.f_back
            code = frame.f_code
        cleaned[_CODE_FILE] = shown_file(code.co_filename)
        cleaned[_CODE_LINE] = frame.f_lineno
        cleaned[_CODE_FUNCTION] = code.co_qualname
        begin = SpanBegin(
            trace_id=trace_id,
            span_id=span_id,
            parent_id=parent_id,
            name=redacted(name),
            kind=kind,
            start_ns=begun_ns,
            attributes=cleaned,
            links=packed_links(tuple(links), self) if links else [],
        )
        self.writer.append(_SPAN_BEGIN, begin, cleaned)
        return RecordedSpan(self, trace_id, span_id, begun_ns, state)

    def close(self, *, kind: str = "exit", exit_code: int = 0, signal: str = "") -> None:
        """Write how the process ends, then close the journal; what follows is not recorded."""
        with self.guard:
            attributes = {"loop26.telemetry.faults": self.faults} if self.faults else {}
            end = ProcessEnd(
                at_ns=time.time_ns(),
                kind=kind,
                signal=signal,
                exit_code=exit_code,
                attributes=attributes,
            )
            self.writer.append(Kind.PROCESS_END, end)
        self._hooks.remove()
        self.writer.close()
        if self.log_handler is not None:
            logging.getLogger().removeHandler(self.log_handler)
            self.log_handler = None
        if active.current() is self:
            active.set_current(None)
