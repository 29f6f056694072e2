"""`loop26 demo`: four pictures become a video, and a failure names its line."""

import typer

from worker.cli.session import HomeOption, session_of


def demo(context: typer.Context, home: HomeOption = None) -> None:
    """Make a video from four pictures that ship with loop26, on this machine, in a minute.

    It enqueues one journey, works it off as `loop26 run` would, and says where
    the video is, what was measured, and where a contact sheet of it is. Model
    and LoRAs ship with loop26, small ones, trained on drawn shapes: nothing is
    downloaded. Then a second journey fails by the defect of a real incident,
    and is investigated; the report is written as a page, too. Without --home it
    works in a folder `demo` of the home, apart from a real queue.

    [bold]Example[/]

      loop26 --home .demo demo
    """
    from worker.demo import run_demo

    session = session_of(context, home)
    if "home" not in session.options:
        session.options["home"] = session.configuration().settings.home / "demo"
    raise typer.Exit(run_demo(session.settings()))
