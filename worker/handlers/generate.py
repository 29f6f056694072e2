"""Single generations: text, or a picture or two, to a video."""

from telemetry import names
from worker.handlers.base import Context
from worker.handlers.generation import Pictures, generate_video
from worker.handlers.payloads.generation import (
    Generation,
    check_pictures,
    parse_generation,
)
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
            check_pictures(generation, task.task_type, model.kind)
            pictures = fetch_pictures(context, generation)
            span.set_attribute(names.INPUT_PICTURES, pictures.count)
        return generate_video(context, generation, model, pictures)


def fetch_pictures(context: Context, generation: Generation) -> Pictures:
    """Fetch and decode the pictures that a generation names itself."""
    check = context.observer.check_cancelled
    start, end = (
        None if source is None else fetch_picture(source, context.inputs, check=check)
        for source in (generation.start_image, generation.end_image)
    )
    return Pictures(start=start, end=end)
