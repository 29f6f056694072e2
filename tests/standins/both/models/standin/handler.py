"""What the code says of a model, beside its definition file."""

from shared.utils.faults import asked

_I2V = ("i2v_standin", "two_expert_standin")


def query_model_def(architecture):
    """Return a model's properties, which are merged into its definition."""
    properties = {
        "fps": 16,
        "dtype": "bf16",
        "attention": ["sdpa"],
        "frames_minimum": 5,
        "frames_steps": 4,
        "latent_size": 4,
        "i2v_class": architecture in _I2V,
        "t2v_class": architecture not in _I2V,
        "guidance_max_phases": 3 if architecture == "two_expert_standin" else 1,
        "multiple_submodels": architecture == "two_expert_standin",
        "sliding_window": True,
        "sliding_window_defaults": {"overlap_default": 1, "window_default": 81},
    }
    if asked("none-at-sliding-window"):
        properties["sliding_window_defaults"] = None
    return properties
