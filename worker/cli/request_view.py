"""How a request looks in a terminal: asked, used, who said so."""

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.cli.paper import printable, without_secrets
from worker.errors import WorkerError
from worker.handlers.planning import Planned
from worker.params.frozen import canonical_json
from worker.params.request import GenerationRequest, ParamValue, Schedule

_SHORTEST, _LONGEST = 10, 60  # characters of a value


def page_of(answer: Planned | WorkerError, width: int) -> Group:
    """Draw what a task would run, or why it would be refused, `width` characters wide."""
    if isinstance(answer, WorkerError):
        return Group(Text.assemble(("refused  ", "bold red"), printable(str(answer)), "\n"))
    parts: list[RenderableType] = [Text(answer.task_type, style="bold")]
    parts += [
        Text(f"warning: {printable(warning)}", style="yellow") for warning in answer.all_warnings
    ]
    if answer.journey is not None:
        parts.append(_grid(answer.journey.summary))
    if answer.stitch is not None:
        parts.append(
            _grid({name: getattr(answer.stitch, name) for name in answer.stitch.__slots__})
        )
    for index, request in enumerate(answer.requests):
        if answer.journey is not None:
            parts.append(Text(f"\nsegment {index}", style="bold"))
        parts += _request(request, width)
    return Group(*parts, Text())


def _request(request: GenerationRequest, width: int) -> list[RenderableType]:
    size = f"{request.width}x{request.height}, {request.frames} frames at {request.fps:g} fps"
    steps = f"{len(request.schedule.steps)} steps of {printable(request.schedule.solver)}"
    parts: list[RenderableType] = [
        Text(f"{request.model} on {request.engine}: {size}, {steps}, seed {request.seed}\n"),
        _params(request, width),
    ]
    if request.loras:
        parts += [Text(), _loras(request)]
    parts += [Text(), _steps(request), _thresholds(request.schedule)]
    parts.append(Text(f"defaults sha256 {request.defaults_digest}", style="dim"))
    return parts


def _params(request: GenerationRequest, width: int) -> Table:
    # A narrow terminal cuts the values, and never who said them.
    params = request.params.values()
    headings = ("parameter", "asked", "used", "who said so")
    names = _longest((headings[0], *(param.name for param in params)))
    sources = _longest((headings[3], *(param.source for param in params)))
    rest = width - names - sources
    values = max(_SHORTEST, min((rest - 3 * len("  ")) // 2, _LONGEST))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for param in request.params.values():
        quiet = param.source in {"model", "system"} and not param.change
        table.add_row(
            Text(printable(param.name)),
            Text(_of_param(param, param.asked, values)),
            Text(_of_param(param, param.value, values), style=_style(param)),
            param.source,
            style="dim" if quiet else "",
        )
    return table


def _of_param(param: ParamValue, value: Any, longest: int) -> str:
    (shown,) = without_secrets({param.name: value}).values()
    return _shown(shown, longest)


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts))


def _style(param: ParamValue) -> str:
    if param.is_null:
        return "red"
    return "yellow" if param.change else ""


def _loras(request: GenerationRequest) -> Table:
    table = _table("LoRA", "multipliers", *(["in each step"] if request.schedule.exact else []))
    for lora in request.loras:
        row: list[RenderableType] = [
            Text(printable(lora.url), overflow="fold"),
            lora.multipliers,
            "  ".join(f"{strength:g}" for strength in lora.per_step),
        ]
        table.add_row(*row[: len(table.columns)])
    return table


def _steps(request: GenerationRequest) -> RenderableType:
    solver = request.schedule.solver
    if not request.schedule.exact:
        return Text(f"the timesteps of {printable(solver)}, and so its phases, the engine decides")
    table = _table("step", "timestep", "phase", "expert", "guidance")
    for step in request.schedule.steps:
        table.add_row(
            str(step.index + 1),
            repr(step.timestep),
            str(step.phase),
            step.expert,
            f"{step.guidance_scale:g}",
        )
    return table


def _thresholds(schedule: Schedule) -> Text:
    limits = (schedule.switch_threshold, schedule.switch_threshold2)
    said = [
        f"phase {phase} from the first timestep at or under {limit!r}"
        for phase, limit in enumerate(limits, start=2)
        if limit is not None
    ]
    return Text("; ".join(said) or "one phase")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _grid(facts: dict[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(name, style="dim"), Text(_shown(value)))
    return grid


def _shown(value: Any, longest: int = _LONGEST) -> str:
    text = value if isinstance(value, str) and value else canonical_json(value)
    text = printable(" ".join(text.split()))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
