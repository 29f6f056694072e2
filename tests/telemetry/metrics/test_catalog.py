"""The one table of instruments: in the code, in the documents, and by the conventions."""

import re
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.semconv._incubating.attributes import hw_attributes, messaging_attributes
from opentelemetry.semconv._incubating.metrics import hw_metrics, messaging_metrics

from telemetry import names
from telemetry.metrics import CATALOG, Instrument, Shape

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
# SDK classes by the names that conventions have for kinds; what is observed has the same kind.
KINDS = {
    "Counter": "counter",
    "UpDownCounter": "updowncounter",
    "Histogram": "histogram",
    "Gauge": "gauge",
}
CONVENTIONAL = {
    name.lower(): getattr(module, f"create_{name.lower()}")
    for module in (hw_metrics, messaging_metrics)
    for name in vars(module)
    if hasattr(module, f"create_{name.lower()}")
}
# What a measurement could have as many values of as there are tasks.
UNBOUNDED = {names.TASK_ID, names.TASK_PARAMS, names.MESSAGING_MESSAGE_ID, names.ERROR_ID}


def documented() -> dict[str, list[str]]:
    """Read the document's table: the cells of each instrument's row, by its name."""
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: rest.split(" | ") for name, rest in rows if len(rest.split(" | ")) == 4}


def test_every_instrument_has_its_row_and_every_row_its_instrument() -> None:
    """In the same order, too."""
    assert list(documented()) == list(CATALOG)


@pytest.mark.parametrize("one", CATALOG.values(), ids=lambda one: one.name)
def test_a_row_says_what_the_code_does(one: Instrument) -> None:
    """Kind, unit, attributes and meaning."""
    kind, unit, attributes, tells = documented()[one.name]
    assert (kind, unit) == (one.shape.kind, f"`{one.unit}`")
    assert re.findall(r"`([^`]+)`", attributes) == list(one.attributes)
    assert tells == one.tells


def test_every_attributes_values_are_documented_or_conventional() -> None:
    """Whoever writes an alert need not read code."""
    own = {name for one in CATALOG.values() for name in one.attributes}
    conventional = {
        value
        for module in (hw_attributes, messaging_attributes)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    text = DOCUMENT.read_text()
    plain = {names.TASK_TYPE, names.STAGE_NAME, names.STEP_PHASE}  # as on spans
    missing = {name for name in own - conventional - plain if f"| `{name}` | " not in text}
    assert missing == set()


@pytest.mark.parametrize(
    "one",
    [one for one in CATALOG.values() if not one.name.startswith("loop26.")],
    ids=lambda one: one.name,
)
def test_a_conventional_name_has_its_conventional_unit_and_kind(one: Instrument) -> None:
    """By OpenTelemetry's own constants."""
    create = CONVENTIONAL[one.name.replace(".", "_")]
    meter = MeterProvider(shutdown_on_exit=False).get_meter("conventions")
    observed = create.__code__.co_argcount == 2
    made = create(meter, None) if observed else create(meter)
    kind = KINDS[type(made).__name__.lstrip("_").removeprefix("Observable")]
    assert (made.name, made.unit, kind) == (one.name, one.unit, one.shape.kind)


@pytest.mark.parametrize("one", CATALOG.values(), ids=lambda one: one.name)
def test_an_instrument_is_well_formed(one: Instrument) -> None:
    """Few sets of attributes; UCUM's units, what is counted in braces; buckets that ascend."""
    assert UNBOUNDED.isdisjoint(one.attributes)
    assert re.fullmatch(r"1|s|By|Cel|W|\{[a-z]+\}", one.unit)
    assert bool(one.buckets) == (one.shape is Shape.HISTOGRAM)
    assert list(one.buckets) == sorted(set(one.buckets))


def test_durations_tell_a_tenth_of_a_second_from_an_hour() -> None:
    """Of tasks and of stages."""
    for name in (names.PROCESS_DURATION, names.STAGE_DURATION):
        assert (CATALOG[name].buckets[0], CATALOG[name].buckets[-1]) == (0.1, 3600.0)
