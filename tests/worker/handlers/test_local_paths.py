"""Relative paths of inputs become absolute, and nothing else changes."""

from pathlib import Path
from typing import Any

import pytest

from worker.handlers.payloads.local_paths import absolute

FOLDER = Path("/shots")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"image_start": "a.png"}, {"image_start": "/shots/a.png"}),
        ({"image_start": "/x/a.png"}, {"image_start": "/x/a.png"}),
        ({"image_end": "https://h/a.png"}, {"image_end": "https://h/a.png"}),
        ({"prompt": "a.png"}, {"prompt": "a.png"}),
        ({"image_start": None}, {"image_start": None}),
        (
            {"orchestrator_details": {"input_image_paths_resolved": ["a.png", "../b.png"]}},
            {
                "orchestrator_details": {
                    "input_image_paths_resolved": ["/shots/a.png", "/shots/../b.png"]
                }
            },
        ),
        (
            {
                "phase_config": {
                    "phases": [{"loras": [{"url": "l.safetensors", "multiplier": "1"}]}]
                }
            },
            {
                "phase_config": {
                    "phases": [{"loras": [{"url": "/shots/l.safetensors", "multiplier": "1"}]}]
                }
            },
        ),
        (
            {"additional_loras": {"l.safetensors": 0.5, "https://h/l": 1}},
            {"additional_loras": {"/shots/l.safetensors": 0.5, "https://h/l": 1}},
        ),
    ],
)
def test_only_relative_paths_of_inputs_change(
    params: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A path is taken from the folder; URLs, absolute paths and prompts stay."""
    assert absolute(params, FOLDER) == expected
