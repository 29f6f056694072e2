"""The types of settings that a plain type does not say: lists as text, addresses, secrets."""

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from worker.task import TASK_TYPES

# A field of HTTP, RFC 9110, 5.1 and 5.5; beyond ASCII its meaning is the receiver's guess.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


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


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
# An environment variable or a command-line option holds a list as text, parted by commas.
Paths = Annotated[tuple[AbsolutePath, ...], NoDecode, BeforeValidator(_split)]
TaskTypes = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_known_types)
]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Headers = Annotated[SecretStr, AfterValidator(_headers)]
Dsn = Annotated[SecretStr, AfterValidator(_dsn)]
