"""Single generations: text, or a picture or two, to a video."""

from telemetry import names
from worker.errors import InvalidTask
from worker.handlers.base import Context
from worker.handlers.generation import Pictures, generate_video
from worker.handlers.payloads.generation import Generation, check_pictures, parse_generation
from worker.handlers.stages import stage
from worker.inputs.pictures import fetch_picture
from worker.task import SINGLE_TYPES, Outcome


class Generate:
    """Does t2v, i2v and generate_video: straight to the engine."""

    task_types: tuple[str, ...] = SINGLE_TYPES

    def run(self, context: Context) -> Outcome:
        """Generate one video."""
        task = context.claim.task
        with stage(context, "inputs") as span:
            generation = parse_generation(task.params)
            model = context.engine.model_def(generation.model)
            check_type(task.task_type, generation)
            check_pictures(generation, model.kind, has_start=generation.start_image is not None)
            pictures = fetch_pictures(context, generation)
            span.set_attribute(
                names.INPUT_PICTURES, sum(x is not None for x in (pictures.start, pictures.end))
            )
        return generate_video(context, generation, model, pictures)


def check_type(task_type: str, generation: Generation) -> None:
    """Refuse an i2v without a picture to start from, and a t2v with one that it would not use."""
    if task_type == "i2v" and generation.start_image is None:
        raise InvalidTask(generation.start_field, None, "is missing: i2v starts from a picture")
    if task_type == "t2v" and generation.start_image is not None:
        problem = "is not used by t2v, which goes by the text alone; i2v starts from a picture"
        raise InvalidTask(generation.start_field, generation.start_image, problem)


def fetch_pictures(context: Context, generation: Generation) -> Pictures:
    """Fetch and decode the pictures that a generation names itself."""
    check = context.observer.check_cancelled
    start, end = (
        None if source is None else fetch_picture(source, context.inputs, check=check)
        for source in (generation.start_image, generation.end_image)
    )
    return Pictures(start=start, end=end)
