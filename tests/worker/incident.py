"""The failure of the incident, as a row of the queue has it."""

from worker.task import Failure

FAILURE = Failure(
    kind="exception",
    type="AttributeError",
    message="'NoneType' object has no attribute 'get'",
    sentence="AttributeError: 'NoneType' object has no attribute 'get'",
    file="/opt/Wan2GP/wgp.py",
    line=3907,
    function="get_model_min_frames_and_step",
    place="raised at",
    stage="parameters",
    fingerprint="f00d",
)
