"""The types of settings that a plain type does not say: lists as text, addresses, secrets."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from worker.task import TASK_TYPES


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


def _pairs(value: SecretStr) -> SecretStr:
    if not all("=" in part for part in value.get_secret_value().split(",")):
        raise ValueError("must be name=value, parted by commas")
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
Headers = Annotated[SecretStr, AfterValidator(_pairs)]
Dsn = Annotated[SecretStr, AfterValidator(_dsn)]
