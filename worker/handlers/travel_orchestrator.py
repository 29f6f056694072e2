"""Planning a journey: N + 1 pictures become N segments, and a stitch where they must be joined."""

from telemetry import names
from worker.handlers.base import Context
from worker.handlers.journey_plan import plan_journey, requests_of
from worker.handlers.payloads.journey import parse_journey
from worker.handlers.stages import stage
from worker.handlers.validation import check_loras, check_pictures_there
from worker.task import ORCHESTRATOR, Outcome, Spawned


class TravelOrchestrator:
    """Does travel_orchestrator: plans, and leaves the work to its children.

    Planned again, it plans the same children under the same ids and idempotency keys, so nothing
    is doubled. It needs no device and no model's weights.
    """

    task_types: tuple[str, ...] = (ORCHESTRATOR,)

    def run(self, context: Context) -> Outcome:
        """Check the whole payload, each segment's parameters too, then plan every child.

        A bad payload plans none.
        """
        task = context.claim.task
        with stage(context, "inputs") as span:
            journey = parse_journey(task.params)
            model = context.engine.model_def(journey.model)
            check_pictures_there(journey.pictures, context.inputs)
            span.set_attribute(names.INPUT_PICTURES, len(journey.images))
        with stage(context, "parameters") as span:
            plan = plan_journey(journey, task, model, unknown=context.unknown_params)
            for request in requests_of(plan, task, model):
                check_loras(request, context.inputs)
            span.set_attribute(names.JOURNEY_SEGMENTS, len(plan.segments))
        return Spawned(children=plan.children, result=plan.summary)
