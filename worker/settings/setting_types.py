"""The types of settings that a plain type does not say: lists as text, addresses, secrets."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from telemetry.names import STAGES
from worker.task import TASK_TYPES

# Seconds. A download may take download_timeout_s (600) in inputs and loras; the weights may come
# from the hub in model; in generate nothing is heard during a step, nor while text is encoded or
# pictures are decoded.
HANG_AFTER_S: Mapping[str, float] = {
    "inputs": 900.0,
    "parameters": 60.0,
    "loras": 900.0,
    "model": 3600.0,
    "generate": 1800.0,
    "encode": 600.0,
    "output": 300.0,
}
_LONGEST_S = 30 * 86_400.0
# A field of HTTP, RFC 9110, 5.1 and 5.5; beyond ASCII its meaning is the receiver's guess.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


class Words(tuple[str, ...]):
    """Arguments of a program; as text they are quoted as a shell reads them."""

    __slots__ = ()

    def __str__(self) -> str:
        return shlex.join(self)


def _words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        wrong = str(error)
        raise ValueError(
            f"cannot be split as a shell does: {wrong[:1].lower()}{wrong[1:]}; close every quote"
        ) from error


def _known_types(value: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in value if name not in TASK_TYPES]
    if unknown or not value:
        found = f"unknown task type {unknown[0]!r}" if unknown else "names no task type"
        raise ValueError(f"{found}; known: {', '.join(TASK_TYPES)}")
    return value


def _web_address(value: str) -> str:
    if not re.match(r"https?://[^/\s]+", value):
        raise ValueError("must be an address as in http://localhost:4318")
    return value


def header_fields(text: str) -> dict[str, str]:
    """Read the headers of an OTLP exporter: name=value, parted by commas, percent-encoded.

    The encoding is that of OpenTelemetry's protocol exporter specification, which takes it from
    W3C Baggage. No message of the `ValueError` holds a part of the text: it is a secret.
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    fields = {unquote(name).strip(): unquote(value).strip() for name, _, value in pairs}
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("must be name=value, parted by commas")
    if not all(map(_HEADER_NAME.fullmatch, fields)):
        raise ValueError("a name is none that an HTTP header can have")
    if not all(map(_HEADER_VALUE.fullmatch, fields.values())):
        raise ValueError("a value is none that an HTTP header can have: printable ASCII only")
    return fields


def _headers(value: SecretStr) -> SecretStr:
    header_fields(value.get_secret_value())
    return value


def _dsn(value: SecretStr) -> SecretStr:
    if not re.match(r"https?://[^@/\s]+@[^/\s]+/.*\d+$", value.get_secret_value()):
        raise ValueError("must be a DSN as Sentry shows it: https://KEY@HOST/PROJECT")
    return value


def _seconds_by_stage(value: Any) -> Any:
    """Read one number for all stages, or stage=number parted by commas, over the defaults."""
    given: Mapping[str, Any] = dict.fromkeys(STAGES, value)
    if isinstance(value, Mapping):
        given = value
    elif isinstance(value, str) and "=" in value:
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        given = {stage.strip(): seconds.strip() for stage, _, seconds in pairs}
    unknown = [stage for stage in given if stage not in STAGES]
    if unknown:
        raise ValueError(f"unknown stage {unknown[0]!r}; known: {', '.join(STAGES)}")
    return {**HANG_AFTER_S} | {stage: _seconds(stage, said) for stage, said in given.items()}


def _seconds(stage: str, value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"{value!r} for {stage} must be a number from 0 to {_LONGEST_S:.0f}")
    return seconds


def page_with(*blanks: str) -> str:
    """Return the pattern of an address that has one of these blanks, in braces."""
    return rf"^https?://[^\s<>\"]*\{{({'|'.join(blanks)})\}}[^\s<>\"]*$"


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
# An environment variable or a command-line option holds a list as text, parted by commas.
Paths = Annotated[tuple[AbsolutePath, ...], NoDecode, BeforeValidator(_split)]
# As a shell has them in one line: parted by blanks, quoted where they hold one.
ShellWords = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(Words)]
TaskTypes = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_known_types)
]
SecondsByStage = Annotated[dict[str, float], NoDecode, BeforeValidator(_seconds_by_stage)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Headers = Annotated[SecretStr, AfterValidator(_headers)]
Dsn = Annotated[SecretStr, AfterValidator(_dsn)]
