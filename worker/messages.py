"""What supervisor and task process say to each other: one JSON document a line, over a socket."""

import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from telemetry.recorder import Recorder
from worker.inputs.policy import InputPolicy
from worker.params.payload import UnknownKeys
from worker.task import Cancelled, Claim, Done, Failed, Outcome, Retry, Spawned


class Configure(msgspec.Struct, tag="configure", frozen=True, kw_only=True):
    """First word of the supervisor: everything a task process needs to know of the settings.

    `calls_wait` is of this process alone: whether CUDA's calls wait in it for what they asked for.
    `ffmpeg` is the program to use where the process's own environment may have an old one, or "".
    """

    supervisor_pid: int
    worker_id: str
    spool: str
    outputs: str
    models: str
    definition_dirs: list[str]
    engine: str
    engine_options: dict[str, Any]
    inputs: InputPolicy
    rotate_bytes: int
    record_prompts: bool
    video_crf: int
    video_preset: str = "veryfast"
    unknown_params: UnknownKeys
    refuse_blank_output: bool = True
    blocking_rerun: bool = False
    calls_wait: bool = False
    own_code: list[str] = []
    ffmpeg: str = ""


class Run(msgspec.Struct, tag="run", frozen=True, kw_only=True):
    """Do this task; the supervisor has claimed it."""

    claim: Claim


class Cancel(msgspec.Struct, tag="cancel", frozen=True, kw_only=True):
    """Stop the task claimed under this token, within a step."""

    token: UUID
    reason: str


class Exit(msgspec.Struct, tag="exit", frozen=True, kw_only=True):
    """End once the task in hand is done."""


class Hello(msgspec.Struct, tag="hello", frozen=True, kw_only=True):
    """First word of the task process: where it journals."""

    journal: str


class Ready(msgspec.Struct, tag="ready", frozen=True, kw_only=True):
    """The device computes; tasks may come."""

    device: dict[str, Any]


class Unready(msgspec.Struct, tag="unready", frozen=True, kw_only=True):
    """Tasks can never be done here; the process ends, the supervisor too, with `exit_code`.

    A task that it has in hand is to be given back.
    """

    problem: str
    exit_code: int


class Progress(msgspec.Struct, tag="progress", frozen=True, kw_only=True):
    """How far the task is; `at` is seconds since the epoch."""

    token: UUID
    at: float
    stage: str
    step: int = 0
    steps: int = 0


class Alive(msgspec.Struct, tag="alive", frozen=True, kw_only=True):
    """The task is at work between two steps: it has looked whether to go on, at most a second ago.

    `at` is seconds since the epoch.
    """

    token: UUID
    at: float


class Started(msgspec.Struct, tag="started", frozen=True, kw_only=True):
    """The model is loaded: generation starts."""

    token: UUID
    model: str
    load_count: int


class TelemetryTrouble(msgspec.Struct, tag="telemetry", frozen=True, kw_only=True):
    """What has gone wrong with the process's own telemetry since it last told.

    `faults` of the recorder were contained, of which `last_fault` was the last, and `lost` records
    could not be written.
    """

    faults: int
    last_fault: str
    lost: int


class Finished(msgspec.Struct, tag="finished", frozen=True, kw_only=True):
    """The task is over; `recycle` says why this process must not take another, or is "".

    `again` is whether it is to be run once more in a process whose CUDA calls wait, where its line
    is exact. The outcome is what it ends with where that cannot be. `exit_code`, where it is not 0,
    is what the worker is to end with, for the reason in `recycle`: no task can be done here.
    """

    token: UUID
    outcome: str
    body: msgspec.Raw
    recycle: str = ""
    again: bool = False
    exit_code: int = 0


T = TypeVar("T")
ToTaskProcess: TypeAlias = Configure | Run | Cancel | Exit
FromTaskProcess: TypeAlias = (
    Hello | Ready | Unready | Progress | Alive | Started | TelemetryTrouble | Finished
)

_OUTCOMES: Mapping[str, type[Outcome]] = {
    kind.__name__: kind for kind in (Done, Spawned, Retry, Failed, Cancelled)
}


def finished(
    token: UUID, outcome: Outcome, *, recycle: str = "", again: bool = False, exit_code: int = 0
) -> Finished:
    """Put an outcome into the message that carries it."""
    return Finished(
        token=token,
        outcome=type(outcome).__name__,
        body=msgspec.Raw(encode(outcome)),
        recycle=recycle,
        again=again,
        exit_code=exit_code,
    )


def outcome_of(message: Finished) -> Outcome:
    """Take the outcome out of its message."""
    decoder = msgspec.json.Decoder(_OUTCOMES[message.outcome], dec_hook=_decode_foreign)
    outcome: Outcome = decoder.decode(message.body)
    return outcome


class Channel:
    """One end of the socket; any thread may send, one thread reads."""

    def __init__(self, end: socket.socket, incoming: Any) -> None:
        self._socket = end
        self._decoder = msgspec.json.Decoder(incoming, dec_hook=_decode_foreign)
        self._sending = threading.Lock()

    @classmethod
    def of_supervisor(cls, end: socket.socket) -> "Channel":
        """Make the supervisor's end."""
        return cls(end, FromTaskProcess)

    @classmethod
    def of_task_process(cls, end: socket.socket) -> "Channel":
        """Make the task process's end."""
        return cls(end, ToTaskProcess)

    def send(self, message: ToTaskProcess | FromTaskProcess) -> bool:
        """Send a message; False when the other end is gone, which its process's death tells.

        Raises `ValueError` for a message that holds text which is no Unicode.
        """
        data = encode(message) + b"\n"
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError:
            return False
        return True

    def __iter__(self) -> Iterator[Any]:
        """Read messages until the other end is gone; a line cut off by its death is dropped.

        Raises `msgspec.MsgspecError` for a line that is no message.
        """
        with self._socket.makefile("rb") as stream:
            while line := _line(stream):
                yield self._decoder.decode(line)

    def close(self) -> None:
        """Close this end; the other reads to the end and stops."""
        self._socket.close()


def telemetry_trouble(*recorders: Recorder) -> TelemetryTrouble:
    """Say what has gone wrong with this process's telemetry since its start."""
    return TelemetryTrouble(
        faults=sum(recorder.faults for recorder in recorders),
        last_fault=next((one.guard.last for one in recorders if one.guard.last), ""),
        lost=sum(recorder.writer.lost for recorder in recorders),
    )


class TroubleTeller:
    """Sends a task process's messages, and before each what is wrong with its telemetry, if new."""

    def __init__(self, channel: Channel, recorder: Recorder) -> None:
        self._channel = channel
        self._recorder = recorder
        self._told = TelemetryTrouble(faults=0, last_fault="", lost=0)

    def send(self, message: FromTaskProcess) -> bool:
        """Send a message, as `Channel.send` does."""
        now, told = telemetry_trouble(self._recorder), self._told
        if now != told:
            self._told = now
            new = TelemetryTrouble(
                faults=now.faults - told.faults,
                last_fault=now.last_fault,
                lost=now.lost - told.lost,
            )
            self._channel.send(new)
        return self._channel.send(message)


def _line(stream: Any) -> bytes:
    try:
        line: bytes = stream.readline()
    except OSError:
        return b""
    return line if line.endswith(b"\n") else b""


def encode(value: object) -> bytes:
    """Encode a message, or what holds one. Raises `ValueError` for text that is no Unicode."""
    return msgspec.json.encode(value, enc_hook=_encode_foreign)


def decode(data: bytes, kind: type[T]) -> T:
    """Decode what `encode` made. Raises `msgspec.MsgspecError`."""
    return msgspec.json.decode(data, type=kind, dec_hook=_decode_foreign)


def _encode_foreign(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):  # of a class of its own, as torch's version is
        return str(value)
    if is_dataclass(value):  # a dataclass that msgspec does not take by itself
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"a {type(value).__name__} cannot go over the control channel")


def _decode_foreign(kind: Any, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise TypeError(f"a {kind} cannot come over the control channel")
