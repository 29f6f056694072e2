"""Every instrument: its name, unit, attributes and meaning; `docs/metrics.md` is its copy."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from telemetry import names

# Seconds. A task may fail in its first tenth of a second, and take an hour.
TASK_BUCKETS: Final = (
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
    *(600.0, 1200.0, 1800.0, 3600.0),
)
STEP_BUCKETS: Final = (
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0),
    *(15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)
CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Shape(Enum):
    """What becomes of an instrument's measurements.

    Those that are observed are asked for at each export; their counts are totals.
    """

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    OBSERVED_COUNTER = "observed counter"
    OBSERVED_SUM = "observed updowncounter"
    OBSERVED_GAUGE = "observed gauge"

    @property
    def kind(self) -> str:
        """The kind, as OpenTelemetry's conventions name it."""
        return self.value.removeprefix("observed ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One instrument.

    Attributes:
        unit: By UCUM; what is counted stands in braces.
        tells: What a value means, for people.
        attributes: All that a measurement may have; each has few values.
        buckets: Upper bounds, of a histogram.
    """

    name: str
    shape: Shape
    unit: str
    tells: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_QUEUE: Final = (names.MESSAGING_SYSTEM, names.MESSAGING_DESTINATION)
_GPU: Final = (names.HW_ID, names.HW_NAME, names.HW_VENDOR, names.HW_DRIVER_VERSION)
_INSTRUMENTS: Final = (
    Instrument(
        name=names.TASK_ATTEMPTS,
        shape=Shape.COUNTER,
        unit="{attempt}",
        tells="Attempts at tasks that have ended, by the task's status since then.",
        attributes=(names.TASK_TYPE, names.TASK_STATUS, names.FAILURE_KIND, names.ERROR_TYPE),
    ),
    Instrument(
        name=names.PROCESS_DURATION,
        shape=Shape.HISTOGRAM,
        unit="s",
        tells="Length of an attempt, from the claim to the settle.",
        attributes=(
            *_QUEUE,
            names.MESSAGING_OPERATION_NAME,
            names.TASK_TYPE,
            names.TASK_STATUS,
            names.ERROR_TYPE,
        ),
        buckets=TASK_BUCKETS,
    ),
    Instrument(
        name=names.STAGE_DURATION,
        shape=Shape.HISTOGRAM,
        unit="s",
        tells="Length of a stage of a task.",
        attributes=(names.TASK_TYPE, names.STAGE_NAME, names.ERROR_TYPE),
        buckets=TASK_BUCKETS,
    ),
    Instrument(
        name=names.STEP_DURATION,
        shape=Shape.HISTOGRAM,
        unit="s",
        tells="Length of a denoising step.",
        attributes=(names.TASK_TYPE, names.STEP_PHASE, names.ERROR_TYPE),
        buckets=STEP_BUCKETS,
    ),
    Instrument(
        name=names.OPERATION_DURATION,
        shape=Shape.HISTOGRAM,
        unit="s",
        tells="Length of a call to the queue: receive is a claim that got a task, settle, send.",
        attributes=(
            *_QUEUE,
            names.MESSAGING_OPERATION_NAME,
            names.MESSAGING_OPERATION_TYPE,
            names.ERROR_TYPE,
        ),
        buckets=CALL_BUCKETS,
    ),
    Instrument(
        name=names.TASK_PROCESS_ENDS,
        shape=Shape.COUNTER,
        unit="{process}",
        tells="Task processes that have ended, by how: exit is as it should be.",
        attributes=(names.DEATH_KIND,),
    ),
    Instrument(
        name=names.WORKER_STATUS,
        shape=Shape.OBSERVED_SUM,
        unit="1",
        tells="1 for the state that the worker is in, 0 for the others.",
        attributes=(names.WORKER_STATE,),
    ),
    Instrument(
        name=names.QUEUE_TASKS,
        shape=Shape.OBSERVED_GAUGE,
        unit="{task}",
        tells="Queued tasks: ready for a worker, or held by a dependency or a delay. Of the whole "
        "queue, so that of many workers' answers one counts, not their sum.",
        attributes=(names.TASK_TYPE, names.QUEUE_STATE),
    ),
    Instrument(
        name=names.QUEUE_OLDEST_AGE,
        shape=Shape.OBSERVED_GAUGE,
        unit="s",
        tells="For how long the oldest ready task has waited for a worker; 0 without one.",
        attributes=(names.TASK_TYPE,),
    ),
    Instrument(
        name=names.GPU_UTILIZATION,
        shape=Shape.OBSERVED_GAUGE,
        unit="1",
        tells="Fraction of the time in which the GPU computed.",
        attributes=(*_GPU, names.HW_GPU_TASK),
    ),
    Instrument(
        name=names.GPU_MEMORY_UTILIZATION,
        shape=Shape.OBSERVED_GAUGE,
        unit="1",
        tells="Fraction of the GPU's memory that is in use, by whomever.",
        attributes=_GPU,
    ),
    Instrument(
        name=names.GPU_MEMORY_USAGE,
        shape=Shape.OBSERVED_SUM,
        unit="By",
        tells="Memory of the GPU in use, by whomever.",
        attributes=_GPU,
    ),
    Instrument(
        name=names.GPU_MEMORY_LIMIT,
        shape=Shape.OBSERVED_SUM,
        unit="By",
        tells="Memory that the GPU has.",
        attributes=_GPU,
    ),
    Instrument(
        name=names.GPU_TEMPERATURE,
        shape=Shape.OBSERVED_GAUGE,
        unit="Cel",
        tells="Temperature of the GPU's core.",
        attributes=(*_GPU, names.HW_PARENT),
    ),
    Instrument(
        name=names.GPU_POWER,
        shape=Shape.OBSERVED_GAUGE,
        unit="W",
        tells="Power that the GPU draws.",
        attributes=(*_GPU, names.HW_TYPE),
    ),
    Instrument(
        name=names.GPU_READING_AGE,
        shape=Shape.OBSERVED_GAUGE,
        unit="s",
        tells="For how long the GPU has not answered; what it answered a minute ago is not shown.",
    ),
    Instrument(
        name=names.TELEMETRY_EXPORTED,
        shape=Shape.OBSERVED_COUNTER,
        unit="{item}",
        tells="Spans, log records and errors that their backend has acknowledged.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_REFUSED,
        shape=Shape.OBSERVED_COUNTER,
        unit="{item}",
        tells="Lost: items that a backend refused for what they are.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_HELD_BACK,
        shape=Shape.OBSERVED_COUNTER,
        unit="{item}",
        tells="Errors that Sentry was told the number of alone: there were too many of their kind.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_WAITING,
        shape=Shape.OBSERVED_GAUGE,
        unit="{item}",
        tells="Items read from journals and not acknowledged; at least so many while it is down.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_OLDEST_AGE,
        shape=Shape.OBSERVED_GAUGE,
        unit="s",
        tells="How old the oldest of these is; 0 without one.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_FAILURES,
        shape=Shape.OBSERVED_COUNTER,
        unit="{request}",
        tells="Requests to a backend that failed; what they brought is sent again.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_UNANSWERED,
        shape=Shape.OBSERVED_COUNTER,
        unit="{request}",
        tells="Of these, those whose items a backend may get twice: they went out unanswered.",
        attributes=(names.SIGNAL,),
    ),
    Instrument(
        name=names.TELEMETRY_RECORDS_LOST,
        shape=Shape.OBSERVED_COUNTER,
        unit="{record}",
        tells="Lost: records that could not be written to a journal, as on a full disk.",
    ),
    Instrument(
        name=names.TELEMETRY_FAULTS,
        shape=Shape.OBSERVED_COUNTER,
        unit="{fault}",
        tells="Faults of telemetry that were kept from a task.",
    ),
    Instrument(
        name=names.TELEMETRY_JOURNALS_DELETED,
        shape=Shape.OBSERVED_COUNTER,
        unit="{journal}",
        tells="Journals, and files of journals, that retention has deleted.",
    ),
    Instrument(
        name=names.TELEMETRY_JOURNALS_LOST,
        shape=Shape.OBSERVED_COUNTER,
        unit="{journal}",
        tells="Lost: of these, those that a backend was still to get.",
    ),
    Instrument(
        name=names.TELEMETRY_JOURNALS_UNCLOSED,
        shape=Shape.OBSERVED_GAUGE,
        unit="{journal}",
        tells="Journals of the dead whose end cannot be written yet.",
    ),
    Instrument(
        name=names.TELEMETRY_SPOOL_SIZE,
        shape=Shape.OBSERVED_GAUGE,
        unit="By",
        tells="Size of all journals of this home, as retention has measured them.",
    ),
)

CATALOG: Final[Mapping[str, Instrument]] = {one.name: one for one in _INSTRUMENTS}
