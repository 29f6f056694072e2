"""Every name of a span, an attribute, an event: dashboards, reports and tests hang on them."""

from typing import Final

# Spans. Variable parts are attributes, never part of a name, but for the three conventions below.
STAGE: Final = "stage"
LOOP_ITERATION: Final = "loop iteration"
ENGINE: Final = "engine"
DENOISE_STEP: Final = "denoise step"
FREE_MEMORY: Final = "free device memory"


def receive(queue: str) -> str:
    """Name the span of a claim that returned a task."""
    return f"receive {queue}"


def settle(queue: str) -> str:
    """Name the span of the call that writes a task's outcome."""
    return f"settle {queue}"


def send(queue: str) -> str:
    """Name the span of the insertion of tasks."""
    return f"send {queue}"


def process(task_type: str) -> str:
    """Name the span of one attempt at a task."""
    return f"process {task_type}"


def stage(name: str) -> str:
    """Name the span of one stage of a task: one of `STAGES`."""
    return f"{STAGE} {name}"


def engine(call: str) -> str:
    """Name the span of one call into an engine: default_settings, model_def, load, generate."""
    return f"{ENGINE} {call}"


STAGES: Final = ("inputs", "parameters", "loras", "model", "generate", "encode", "output")

# Attributes of OpenTelemetry's semantic conventions.
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_CLIENT_ID: Final = "messaging.client.id"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"
HTTP_STATUS: Final = "http.response.status_code"
ERROR_TYPE: Final = "error.type"
CODE_FILE: Final = "code.file.path"
CODE_LINE: Final = "code.line.number"
CODE_FUNCTION: Final = "code.function.name"
EXCEPTION_EVENT: Final = "exception"
MEMORY_EVENT: Final = "device memory"  # who held it when it ran out
SECOND_TRY_EVENT: Final = "second try"
BLOCKING_EVENT: Final = "run again, blocking"
PARAM_EVENT: Final = "parameter"  # one that is decided outside of the loop
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# Attributes of our own.
TASK_ID: Final = "loop26.task.id"
TASK_TYPE: Final = "loop26.task.type"
TASK_ATTEMPT: Final = "loop26.task.attempt"
TASK_PARAMS: Final = "loop26.task.params"
TASK_OUTCOME: Final = "loop26.task.outcome"
TASK_STATUS: Final = "loop26.task.status"
QUEUE_REQUEST_ID: Final = "loop26.queue.request_id"
QUEUE_TIMING: Final = "loop26.queue.timing."  # + what the server spent milliseconds on
SETTLE_TRIES: Final = "loop26.settle.tries"
WORKER_ID: Final = "loop26.worker.id"
WORKER_STATE: Final = "loop26.worker.state"
FAILURE_KIND: Final = "loop26.failure.kind"
QUEUE_STATE: Final = "loop26.queue.state"
SIGNAL: Final = "loop26.signal"  # traces, logs, errors
STAGE_NAME: Final = "loop26.stage.name"
LOOP_INDEX: Final = "loop26.loop.index"
LOOP_COUNT: Final = "loop26.loop.count"
PARAM_KEY: Final = "loop26.param.key"
PARAM_OLD: Final = "loop26.param.old"
PARAM_NEW: Final = "loop26.param.new"
PARAM_SOURCE: Final = "loop26.param.source"
PARAM_ASKED: Final = "loop26.param.asked"
PARAM_SKIPPED: Final = "loop26.param.skipped"
DEFAULTS_TYPE: Final = "loop26.defaults.type"
DEFAULTS_COUNT: Final = "loop26.defaults.count"
DEFAULTS_BEFORE: Final = "loop26.defaults.digest_before"  # of the loop
DEFAULTS_AFTER: Final = "loop26.defaults.digest_after"
ENGINE_NAME: Final = "loop26.engine.name"
ENGINE_MODEL: Final = "loop26.engine.model"
ENGINE_PARAM: Final = "loop26.engine.param."  # + the parameter's name
ENGINE_RESULT: Final = "loop26.engine.result."  # + what the call returned
ENGINE_API: Final = "loop26.engine.api"  # which generation of its API was found
ENGINE_UNUSED: Final = "loop26.engine.unused"  # parameters that its call does not take
ENGINE_FILLED: Final = "loop26.engine.filled"  # those given None, as nobody says a value
ENGINE_FILES: Final = "loop26.engine.result.files"  # that appeared while its call ran
ENGINE_STATE_FOUND: Final = "loop26.engine.state.found"  # changed by an earlier task here
ENGINE_STATE_LEFT: Final = "loop26.engine.state.left"  # changed by this task, at its call's end
ENGINE_STATUS_EVENT: Final = "engine.status"  # the engine says what it is at
ENGINE_STATUS: Final = "loop26.engine.status"
WORKING_THREAD: Final = "loop26.thread.id"  # where it works, as faulthandler writes it
STEP_INDEX: Final = "loop26.step.index"
STEP_COUNT: Final = "loop26.step.count"
STEP_PHASE: Final = "loop26.step.phase"
STEP_TIMESTEP: Final = "loop26.step.timestep"
STEP_GUIDANCE: Final = "loop26.step.guidance_scale"
STEP_EXPERT: Final = "loop26.step.expert"
STEP_LORA_SCALES: Final = "loop26.step.lora_scales"
STEP_DEVICE_MS: Final = "loop26.step.device_ms"
STEP_MEMORY_BYTES: Final = "loop26.step.memory_bytes"
MEMORY_TOTAL: Final = "loop26.memory.total_bytes"
MEMORY_FREE: Final = "loop26.memory.free_bytes"
MEMORY_ALLOCATED: Final = "loop26.memory.allocated_bytes"
MEMORY_RESERVED: Final = "loop26.memory.reserved_bytes"
MEMORY_LARGEST_FREE: Final = "loop26.memory.largest_free_bytes"
MEMORY_COMPONENTS: Final = "loop26.memory.components"
MEMORY_TENSORS: Final = "loop26.memory.tensors"
MEMORY_PROCESSES: Final = "loop26.memory.processes"
MEMORY_FREED: Final = "loop26.memory.freed_bytes"
REASON: Final = "loop26.reason"  # why something was done that is not done as a rule
INPUT_PICTURES: Final = "loop26.input.pictures"
INPUT_VIDEOS: Final = "loop26.input.videos"
INPUT_BYTES: Final = "loop26.input.bytes"
LORA_COUNT: Final = "loop26.lora.count"
LORA_BYTES: Final = "loop26.lora.bytes"
OUTPUT_FRAMES: Final = "loop26.output.frames"
OUTPUT_BYTES: Final = "loop26.output.bytes"
OUTPUT_CRF: Final = "loop26.output.crf"
OUTPUT_KEPT: Final = "loop26.output.kept"  # whether the engine's own encoding is
# Pictures that the encoder had taken while the engine still decoded.
OUTPUT_ENCODED_EARLY: Final = "loop26.output.encoded_early"
JOURNEY_SEGMENTS: Final = "loop26.journey.segments"
JOURNAL_SEQ: Final = "loop26.journal.seq"
DEATH_KIND: Final = "loop26.death.kind"
DEATH_SIGNAL: Final = "loop26.death.signal"
DEATH_EXIT_CODE: Final = "loop26.death.exit_code"
RECORD_SPANS: Final = "loop26.record.spans"
RECORD_RECORDS: Final = "loop26.record.records"
RECORD_LOST: Final = "loop26.record.lost"
RECORD_COMPLETE: Final = "loop26.record.complete"
ERROR_ID: Final = "loop26.error.id"
ERROR_EXPRESSION: Final = "loop26.error.expression"
ERROR_FINGERPRINT: Final = "loop26.error.fingerprint"
ERROR_HANDLED: Final = "loop26.error.handled"
# Of our own code, where a library raised: the line that called it.
ERROR_OWN_FILE: Final = "loop26.error.own.file"
ERROR_OWN_LINE: Final = "loop26.error.own.line"
ERROR_OWN_FUNCTION: Final = "loop26.error.own.function"
LINK: Final = "loop26.link."  # + what is there: task, issue, report

# Attributes of a GPU, by OpenTelemetry's conventions for hardware.
HW_ID: Final = "hw.id"
HW_NAME: Final = "hw.name"
HW_PARENT: Final = "hw.parent"
HW_TYPE: Final = "hw.type"
HW_VENDOR: Final = "hw.vendor"
HW_DRIVER_VERSION: Final = "hw.driver_version"
HW_GPU_TASK: Final = "hw.gpu.task"

# Metrics. `telemetry.metrics.catalog` says of each its unit, its attributes and what it tells.
PROCESS_DURATION: Final = "messaging.process.duration"
OPERATION_DURATION: Final = "messaging.client.operation.duration"
TASK_ATTEMPTS: Final = "loop26.task.attempts"
STAGE_DURATION: Final = "loop26.stage.duration"
STEP_DURATION: Final = "loop26.step.duration"
TASK_PROCESS_ENDS: Final = "loop26.task_process.ends"
WORKER_STATUS: Final = "loop26.worker.status"
QUEUE_TASKS: Final = "loop26.queue.tasks"
QUEUE_OLDEST_AGE: Final = "loop26.queue.oldest.age"
GPU_UTILIZATION: Final = "hw.gpu.utilization"
GPU_MEMORY_UTILIZATION: Final = "hw.gpu.memory.utilization"
GPU_MEMORY_USAGE: Final = "hw.gpu.memory.usage"
GPU_MEMORY_LIMIT: Final = "hw.gpu.memory.limit"
GPU_TEMPERATURE: Final = "hw.temperature"
GPU_POWER: Final = "hw.power"
GPU_READING_AGE: Final = "loop26.gpu.reading.age"
TELEMETRY_EXPORTED: Final = "loop26.telemetry.items.exported"
TELEMETRY_REFUSED: Final = "loop26.telemetry.items.refused"
TELEMETRY_HELD_BACK: Final = "loop26.telemetry.items.held_back"
TELEMETRY_WAITING: Final = "loop26.telemetry.items.waiting"
TELEMETRY_OLDEST_AGE: Final = "loop26.telemetry.items.oldest.age"
TELEMETRY_FAILURES: Final = "loop26.telemetry.requests.failed"
TELEMETRY_UNANSWERED: Final = "loop26.telemetry.requests.unanswered"
TELEMETRY_RECORDS_LOST: Final = "loop26.telemetry.records.lost"
TELEMETRY_FAULTS: Final = "loop26.telemetry.faults"
TELEMETRY_JOURNALS_DELETED: Final = "loop26.telemetry.journals.deleted"
TELEMETRY_JOURNALS_LOST: Final = "loop26.telemetry.journals.lost"
TELEMETRY_JOURNALS_UNCLOSED: Final = "loop26.telemetry.journals.unclosed"
TELEMETRY_SPOOL_SIZE: Final = "loop26.telemetry.spool.size"

# Of a value that none of the known ones is: OpenTelemetry's word for it.
OTHER: Final = "_OTHER"

# OpenTelemetry drops None, and None is what we look for: the value is recorded as this text, and
# the attribute `<name>.is_null` is true.
NULL: Final = "null"
IS_NULL: Final = ".is_null"

SERVICE: Final = "loop26"
QUEUE: Final = "tasks"
