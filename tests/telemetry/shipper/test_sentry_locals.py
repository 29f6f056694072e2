"""The variables of a Sentry event, after what hosted Sentry cuts of them."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import names
from telemetry.recorder.capture import Place, capture
from telemetry.recorder.own_code import OwnCode
from telemetry.recorder.redaction import Redactor
from telemetry.records import Error, Kind
from telemetry.shipper import SentryTarget, Shipper
from telemetry.shipper.sentry_event import MAX_EVENT_BYTES
from telemetry.shipper.sentry_locals import (
    CUT,
    MOST_BYTES,
    MOST_VARIABLES,
    NONES,
    Interest,
    chosen,
    size,
)
from telemetry.testing import SentryReceiver
from tests.telemetry.shipper.hosted_sentry import arrived

INCIDENT = Path(__file__).parents[2] / "data" / "incident_defaults.json"
DEFAULTS: dict[str, Any] = json.loads(INCIDENT.read_text(encoding="utf-8"))
# Of the size of the engine's own: 395 local variables, of which every tenth is None.
LOCALS = 395


def engine_source() -> str:
    """Write an engine's function with 395 locals that fails where the incident's did."""
    own = [f"    {key} = {value!r}" for key, value in DEFAULTS.items()]
    own += [
        "    registry = {'zz_last': 1, **{str(n): n for n in range(90)}}",
        "    zz_entry = None",
    ]
    others = LOCALS - len(own)
    own += [
        f"    local_variable_{number:03} = {None if number % 10 == 0 else 'x' * (number % 60)!r}"
        for number in range(others)
    ]
    failing = "    return zz_entry.get('frames_minimum', registry)"
    return "\n".join(["def generate():", *own, failing, ""])


@pytest.fixture
def engine(tmp_path: Path) -> ModuleType:
    """Import the engine from a file, so that its lines are known."""
    path = tmp_path / "engine_of_395.py"
    path.write_text(engine_source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("engine_of_395", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def taken(engine: ModuleType, **changes: Any) -> Error:
    """Let the engine fail, and take the exception down as a task process does."""
    with pytest.raises(AttributeError) as caught:
        engine.generate()
    error = capture(
        caught.value,
        redactor=Redactor(),
        own=OwnCode(["engine_of_395"]),
        place=Place("generate", 32, 32),
        trace_id=b"t" * 16,
    )
    return msgspec.structs.replace(error, **changes)


@pytest.fixture
def sent(script: Any, spool: Path) -> Any:
    """Return what journals an error in a task, ships it and returns the event that arrived."""

    def send(error: Error) -> dict[str, Any]:
        script.task("t1")
        for index, (key, value) in enumerate(DEFAULTS.items(), start=1):
            new = value if isinstance(value, int | float | str) else str(value)
            facts = {names.PARAM_KEY: key, names.PARAM_NEW: new, names.LOOP_INDEX: index}
            script.span("loop iteration", index, index + 1, **facts)
        script.writer.append(Kind.ERROR, error)
        with SentryReceiver() as receiver:
            shipper = Shipper(spool, sentry=SentryTarget(dsn=receiver.dsn), interval_s=0.01)
            assert shipper.drain(20)
            shipper.stop(1)
            assert max(map(len, receiver.bodies)) < 2**20
            (event,) = receiver.events
        return event  # type: ignore[no-any-return]  # JSON

    return send


def innermost(event: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of the frame that raised."""
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["function"] == "generate"
    return frame["vars"]  # type: ignore[no-any-return]  # JSON


@pytest.mark.parametrize("expression", ["", "zz_entry"])
def test_what_matters_of_395_locals_survives_hosted_sentry(
    engine: ModuleType, sent: Any, expression: str
) -> None:
    """The failing expression, what is None and the task's parameters: though late in the alphabet.

    The expression's names are found in the failing line where nobody has worked it out.
    """
    event = arrived(sent(taken(engine, expression=expression)))
    found = innermost(event)
    assert found["zz_entry"] == "None"
    assert found["registry"]
    nones = [name for name, value in DEFAULTS.items() if value is None]
    nones += [f"local_variable_{n:03}" for n in range(LOCALS - len(DEFAULTS) - 2) if n % 10 == 0]
    named = {*found, *found[NONES].split()}
    assert set(nones) <= named
    assert set(DEFAULTS) <= set(event["contexts"]["task parameters"])
    shown = [key for key in DEFAULTS if key in found]
    assert len(shown) > len(DEFAULTS) / 2


def test_without_a_choice_hosted_sentry_would_have_cut_them(engine: ModuleType) -> None:
    """The cut is a real one: of all 395 in any order, the failing name is gone."""
    whole = taken(engine).chain[0].frames[-1].locals
    assert len(whole) == LOCALS
    frame = {"vars": {"zz_entry": "None", **{k: str(v) for k, v in whole.items()}}}
    event = {"exception": {"values": [{"stacktrace": {"frames": [frame]}}]}, "contexts": {}}
    assert (
        "zz_entry"
        not in arrived(event)["exception"]["values"][0]["stacktrace"]["frames"][0]["vars"]
    )


def test_all_of_them_are_in_a_context(engine: ModuleType, sent: Any) -> None:
    """A server that cuts nothing shows what the journal holds."""
    event = sent(taken(engine))
    whole = event["contexts"]["locals of generate"]
    assert len(whole) == LOCALS
    assert "more are in the journal" in innermost(event)[CUT]


def test_a_megabyte_of_locals_arrives_in_an_event_that_sentry_takes(
    engine: ModuleType, sent: Any
) -> None:
    """The envelope is under 1 MiB; the line and what failed are in it."""
    error = taken(engine)
    raised = error.chain[0]
    heavy = {f"heavy_{number}": "ü" * 1000 for number in range(600)}
    frames = [
        msgspec.structs.replace(frame, locals={**frame.locals, **heavy}) for frame in raised.frames
    ]
    chain = [
        msgspec.structs.replace(raised, frames=frames, relation=relation)
        for relation in ("", "cause", "cause")
    ]
    event = sent(msgspec.structs.replace(error, chain=chain))
    assert size(event) <= MAX_EVENT_BYTES
    assert innermost(event)["zz_entry"] == "None"
    assert "locals" in event["tags"]["left_out"]


def test_few_variables_are_shown_whole() -> None:
    """What is small enough needs no choice."""
    found = chosen({"b": [1, 2], "a": None}, Interest(line="b.x"))
    assert found == {"b": [1, 2], "a": "None"}


def test_inside_a_dictionary_the_same_things_come_first() -> None:
    """`entry['inner']` was None: of a hundred entries that one is shown."""
    entry = {**{f"k{number}": "x" * 40 for number in range(100)}, "inner": None}
    padding = {f"v{number}": "y" * 40 for number in range(100)}
    found = chosen({**padding, "entry": entry}, Interest(expression="entry['inner']"))
    assert found["entry"]["inner"] == "None"
    assert "more" in found["entry"][CUT]


_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(), st.text(max_size=3000)
)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
)


@given(
    st.dictionaries(st.text(max_size=40), _VALUES, max_size=120),
    st.text(max_size=40),
    st.sets(st.text(max_size=8), max_size=5),
)
def test_any_variables_fit(variables: dict[str, Any], line: str, keys: set[str]) -> None:
    """Whatever they hold, within the limits and as JSON."""
    found = chosen(variables, Interest(line=line, keys=keys))
    assert size(found) <= MOST_BYTES
    assert len(found) <= MOST_VARIABLES + 1
