"""The demo's end: the incident happens again, and is investigated."""

import shlex

from rich.console import Console, Group
from rich.text import Text

from worker.drill.folder import DrillBusy, drill_folder
from worker.drill.incident import Incident, incident
from worker.drill.journey import SEGMENTS
from worker.drill.running import DrillStopped, Skipped
from worker.settings import Settings

PAGE = "incident.html"
EXIT_WRONG = 1


def show_incident(settings: Settings, out: Console) -> int:
    """Have a second journey fail by the incident's own defect; show its investigation.

    Returns the exit code: 1 where it did not fail as it must.
    """
    out.print(Text("\nAnd when it fails?", style="bold"))
    out.print(
        f"A second journey, of {SEGMENTS} segments, on an engine with the defect of a real "
        "incident: two crashes were blamed on a loop that had finished, because the log was cut.",
        style="dim",
    )
    with out.status("the incident happens again …") as status:
        try:
            # A folder of its own: the drill's engine would fail whatever else is in the queue.
            with drill_folder(settings) as own:
                found = incident(own, lambda what: status.update(f"{what} …"))
        except (DrillBusy, DrillStopped, Skipped) as why:
            out.print(Text(f"The incident could not be shown: {why}", style="red"))
            return EXIT_WRONG
    out.print(_shown(found))
    _write_page(settings, found)
    out.print(Text("\nThe whole report, as one page, and here:", style="bold"))
    command = f"loop26 --home {shlex.quote(str(found.folder))} investigate"
    for line in (settings.home / PAGE, f"{command} {str(found.first.task.id)[:8]}"):
        out.print(Text(f"  {line}"), soft_wrap=True)
    return 0


def _shown(found: Incident) -> Group:
    from telemetry.reports.terminal import brief, headline

    return Group(
        Text(),
        brief(found.first.found),
        Text("\nA segment of it again, its record cut where the incident's was:", style="bold"),
        Text(),
        headline(found.second.found),
    )


def _write_page(settings: Settings, found: Incident) -> None:
    from telemetry.reports.html import page

    (settings.home / PAGE).write_text(page(found.first.found), encoding="utf-8")
