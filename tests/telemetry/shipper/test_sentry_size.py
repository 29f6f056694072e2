"""The size of an event on the wire, where text is not ASCII."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.records import ExceptionFacts, Frame
from telemetry.shipper import SentryTarget, Shipper
from telemetry.shipper.sentry_event import MAX_EVENT_BYTES
from telemetry.shipper.sentry_locals import MOST_BYTES, Interest, chosen, size
from telemetry.testing import Reply, SentryReceiver
from tests.telemetry.shipper.hosted_sentry import Bag

SENTRYS_LIMIT = 2**20
CHINESE = "镜头缓慢推进。"  # "the camera moves in slowly."
EMOJI = "🎬🌊🦊"


@pytest.fixture
def sentry() -> Iterator[SentryReceiver]:
    """Return a server that refuses what Sentry does."""
    with SentryReceiver() as one:
        one.answer_by(lambda _path, body: Reply(413 if len(body) > SENTRYS_LIMIT else 200))
        yield one


def shipped(script: Any, spool: Path, sentry: SentryReceiver, caption: str, times: int) -> Any:
    """Ship a failure with 70 captions among its locals; return the event that arrived."""
    captions = {f"c{number}": caption * times for number in range(70)}
    frame = Frame(
        file="/a.py",
        line=2,
        function="generate",
        source=["def generate():", "    entry.get(key)"],
        source_first_line=1,
        locals={**captions, "entry": None, "prompt": caption, "seed": 26, "inner": None},
    )
    raised = ExceptionFacts(type="E", module="m", message=caption, frames=[frame])
    script.task("t", seed=26, prompt=caption, captions=[caption * times] * 40)
    script.begin("stage generate")
    script.error(chain=[raised], expression="entry")
    one = Shipper(spool, sentry=SentryTarget(dsn=sentry.dsn))
    assert one.drain(20)
    one.stop(1)
    [event] = sentry.events
    return event


@pytest.mark.parametrize("caption", [CHINESE, EMOJI])
def test_what_fits_arrives_whole_and_as_it_was_measured(
    script: Any, spool: Path, sentry: SentryReceiver, caption: str
) -> None:
    """More than 1 MiB if it were escaped; nothing of it is taken away."""
    event = shipped(script, spool, sentry, caption, 6000 // len(caption.encode()))
    [body] = sentry.bodies
    assert caption.encode() in body
    assert len(event_json := body.splitlines()[2]) <= MAX_EVENT_BYTES
    assert len(event_json.decode().encode("ascii", "backslashreplace")) > SENTRYS_LIMIT
    assert "left_out" not in event["tags"]
    assert event["contexts"]["locals of generate"]["c69"].startswith(caption)
    assert len(event["contexts"]["asked parameters"]["captions"]) == 40


def test_what_does_not_fit_is_cut_by_the_bytes_of_the_wire(
    script: Any, spool: Path, sentry: SentryReceiver
) -> None:
    """The first request is taken, and the line and its variables are in it."""
    event = shipped(script, spool, sentry, CHINESE, 1000)
    [body] = sentry.bodies
    assert len(body) < SENTRYS_LIMIT
    assert event["tags"]["left_out"]
    assert event["exception"]["values"][0]["stacktrace"]["frames"][0]["vars"]["entry"] == "None"


@pytest.mark.parametrize("caption", [CHINESE, EMOJI])
def test_hosted_sentry_leaves_what_matters_standing(caption: str) -> None:
    """The failing expression, what is None and the task's keys, among long captions."""
    captions = {f"c{number}": caption * 300 for number in range(70)}
    variables = {**captions, "entry": None, "inner": None, "seed": 26, "提示": caption}
    found = chosen(variables, Interest("entry", "entry.get(key)", frozenset({"seed", "提示"})))
    assert size(found) <= MOST_BYTES
    kept = Bag().kept(found, 5)
    assert (kept["entry"], kept["inner"], kept["seed"]) == ("None", "None", 26)
    assert kept["提示"].startswith(caption[0])
