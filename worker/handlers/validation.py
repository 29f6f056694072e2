"""Checks of a task before it enters the queue: everything but downloading, and without torch."""

from collections.abc import Iterable

from worker.handlers.payloads.pictures import Picture
from worker.handlers.planning import Known, named_at, plan_task
from worker.inputs.fetch import check_local, check_source
from worker.inputs.lora_files import check_lora
from worker.inputs.policy import InputPolicy
from worker.inputs.sources import scheme_of
from worker.params.request import GenerationRequest
from worker.task import NewTask


def validate(task: NewTask, known: Known, *, inputs: InputPolicy) -> None:
    """Refuse a task that would fail for what it says: type, payload, parameters, local paths.

    Nothing is downloaded and no engine is asked, so a URL that leads nowhere passes.

    Raises:
        UnknownTaskType: No handler does this type.
        InvalidTask: The payload is wrong; names the field by its dotted path.
        UnknownModel: There is no model of this name; names the nearest.
        InputError: A local picture or LoRA is not there, or may not be used.
    """
    planned = plan_task(task, known)
    if planned.lacks is not None:
        raise planned.lacks
    check_pictures_there(planned.pictures, inputs)
    for request in planned.requests:
        check_loras(request, inputs)


def check_pictures_there(pictures: Iterable[Picture], inputs: InputPolicy) -> None:
    """Check that the local ones are there, and that the others are http(s) URLs."""
    for picture in pictures:
        with named_at(picture.field):
            check_source(picture.source)
            if not scheme_of(picture.source):
                check_local(picture.source, inputs, max_bytes=inputs.max_picture_bytes)


def check_loras(request: GenerationRequest, inputs: InputPolicy) -> None:
    """Check that the local ones are whole, and that the others are http(s) URLs of LoRAs."""
    for lora in request.loras:
        with named_at(lora.field):
            check_lora(lora.url, inputs)
