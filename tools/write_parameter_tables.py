"""Write the generated tables of docs/parameters.md anew from the code; `make docs` runs it."""

import re
from collections.abc import Iterable
from pathlib import Path

from worker.handlers.payloads.generation import END_NAMES, START_NAMES
from worker.params import loras, schedules
from worker.params.defaults import SYSTEM_DEFAULTS, WGP_ONLY
from worker.params.frozen import canonical_json
from worker.params.layers import ALIASES
from worker.params.loras import LoraText
from worker.params.parameters import PARAMETERS
from worker.params.payload import CARRIED

PAGE = Path(__file__).parents[1] / "docs" / "parameters.md"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SHIFT, _STEPS = 5, (3, 3)
_MULTIPLIERS = ("1.2;0", "1.05;1.05", "0;1.0", "1,0.5,0.25;0", "0.8")


def written(page: str) -> str:
    """Return the page with every generated block written anew."""
    return _BLOCK.sub(lambda block: f"{block[1]}{_TABLES[block[2]]()}\n{block[3]}", page)


def _system() -> str:
    rows = ((f"`{name}`", _code(value)) for name, value in SYSTEM_DEFAULTS.items())
    return _table(("parameter", "value"), rows)


def _parameters() -> str:
    rows = (
        (f"`{parameter.name}`", parameter.accepts, _other_names(name), parameter.does)
        for name, parameter in PARAMETERS.items()
        if name not in WGP_ONLY
    )
    return _table(("parameter", "accepts", "other names", "what it does"), rows)


def _wan2gp() -> str:
    rows = (
        (
            f"`{name}`",
            PARAMETERS[name].does,
            f"any: {neutral.reason}"
            if neutral.values is None
            else " or ".join(map(_code, neutral.values)),
        )
        for name, neutral in WGP_ONLY.items()
    )
    return _table(("parameter", "what it does there", "other engines take"), rows)


def _timesteps() -> str:
    rows = []
    for solver in schedules.SOLVERS:
        times = schedules.timesteps(solver, _SHIFT, sum(_STEPS))
        [limit] = schedules.phase_thresholds(times, _STEPS)
        rows.append((f"`{solver}`", ", ".join(map(_number, times.timesteps)), _number(limit)))
    return _table(("solver", "timesteps", "`switch_threshold`"), rows)


def _multipliers() -> str:
    rows = []
    for text in _MULTIPLIERS:
        lora = LoraText(url="", multipliers=text, field="", url_field="")
        steps = loras.expand(lora, _STEPS).per_step
        rows.append((f"`{text}`", ", ".join(f"{strength:g}" for strength in steps)))
    return _table(("multipliers", "in each step"), rows)


def _pictures() -> str:
    rows = (("start", _names(START_NAMES)), ("end", _names(END_NAMES)))
    return _table(("picture", "names"), rows)


def _carried() -> str:
    return _names(sorted(CARRIED))


def _other_names(name: str) -> str:
    return _names(other for other in ALIASES.get(name, ()) if other != name)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _code(value: object) -> str:
    return f"`{canonical_json(value)}`"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_TABLES = {
    "system": _system,
    "parameters": _parameters,
    "wan2gp": _wan2gp,
    "timesteps": _timesteps,
    "multipliers": _multipliers,
    "pictures": _pictures,
    "carried": _carried,
}

if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
