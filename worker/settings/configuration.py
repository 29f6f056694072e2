"""Where each setting comes from: defaults, the home's file, the environment, options."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from worker.errors import HomeError, SettingsError
from worker.settings.environment import environment_values, key_of, secret_names, variable_of
from worker.settings.setting_types import Words
from worker.settings.settings import CONFIG_FILE, Settings

DEFAULT = "default"
OPTION = "command line"
ENVIRONMENT = "environment"
HIDDEN = "(set, not shown)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A value that was given for a setting, and by what."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One setting as people read it; a secret's value is never shown."""

    name: str
    variable: str
    value: str
    default: str
    source: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings, and the origin of each that is not the default."""

    settings: Settings
    origins: Mapping[str, Origin]

    def explain(self) -> list[Explained]:
        """List every setting in the order of its definition."""
        return [self._explained(name) for name in Settings.model_fields]

    def _explained(self, name: str) -> Explained:
        field = Settings.model_fields[name]
        origin = self.origins.get(name)
        return Explained(
            name=name,
            variable=variable_of(name),
            value=shown(getattr(self.settings, name)),
            default=shown(field.get_default(call_default_factory=True, validated_data={})),
            source=origin.source if origin else DEFAULT,
            help=field.description or "",
        )


def load(options: Mapping[str, Any] | None = None) -> Configuration:
    """Read all settings; later wins: default, `<home>/config.toml`, environment, options.

    Raises:
        SettingsError: In one line, with the setting, its value, and what to do.
        HomeError: The file is there and cannot be read.
    """
    given = {name: Origin(value=value, source=OPTION) for name, value in (options or {}).items()}
    _refuse_unknown(given, OPTION)
    environment = {
        name: Origin(value=value, source=f"{ENVIRONMENT} {variable_of(name)}")
        for name, value in environment_values().items()
    }
    upper = {**environment, **given}
    home = _settings({"home": upper["home"]} if "home" in upper else {}).home
    origins = {**_file_values(home), **upper}
    return Configuration(settings=_settings(origins), origins=origins)


def shown(value: Any) -> str:  # noqa: PLR0911 - one a type
    """Write a setting's value for people; secrets stay secret."""
    match value:
        case None:
            return ""
        case SecretStr():
            return HIDDEN
        case bool():
            return str(value).lower()
        case Words():
            return str(value)
        case tuple():
            return ",".join(str(part) for part in value)
        case Mapping():
            return ",".join(f"{name}={shown(part)}" for name, part in value.items())
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _file_values(home: Path) -> dict[str, Origin]:
    path = home / CONFIG_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(home, f"{CONFIG_FILE} cannot be read: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is no TOML: {error}; mend it or remove it") from error
    origins = {name: Origin(value=value, source=str(path)) for name, value in values.items()}
    if "home" in origins:
        raise SettingsError(
            f"{path}: home cannot be set in the home's own file; remove the line and use "
            f"--home DIR or {variable_of('home')}"
        )
    _refuse_unknown(origins, str(path))
    return origins


def _refuse_unknown(origins: Mapping[str, Origin], source: str) -> None:
    for name in origins:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`loop26 settings` lists all"
            raise SettingsError(f"{source}: unknown setting {name!r}; {hint}")


def _settings(origins: Mapping[str, Origin]) -> Settings:
    try:
        return Settings(**{key_of(name): origin.value for name, origin in origins.items()})
    except ValidationError as error:
        raise SettingsError("; ".join(_complaints(error, origins))) from error


def _complaints(error: ValidationError, origins: Mapping[str, Origin]) -> list[str]:
    names = {key_of(name): name for name in Settings.model_fields}
    found = []
    for detail in error.errors(include_url=False, include_context=False):
        problem = detail["msg"].removeprefix("Value error, ")
        if not detail["loc"]:
            found.append(problem)
            continue
        name = names.get(str(detail["loc"][0]), str(detail["loc"][0]))
        origin = origins.get(name, Origin(value="", source=DEFAULT))
        value = HIDDEN if name in secret_names() else repr(origin.value)
        found.append(
            f"{name} = {value} ({origin.source}): {problem[:1].lower()}{problem[1:]}; "
            f"change {variable_of(name)} or see `loop26 settings`"
        )
    return found
