"""The demo's end: the incident happens again, and is investigated."""

from rich.console import Console, Group
from rich.text import Text

from worker.drill.folder import DrillBusy, drill_folder
from worker.drill.incident import Incident, incident
from worker.drill.journey import SEGMENTS
from worker.drill.running import DrillStopped, Skipped
from worker.settings import Settings

PAGE = "incident.html"


def show_incident(settings: Settings, out: Console) -> Incident | None:
    """Have a second journey fail by the incident's own defect; show its investigation.

    The whole report is written as a page, `PAGE` in the home. Returns None, and has said why,
    where it did not fail as it must.
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
            return None
    out.print(_shown(found))
    _write_page(settings, found)
    return found


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
