"""How texts are brought to the model's length."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from worker.engines.base import Inputs
from worker.engines.diffusers_wan import DiffusersWanEngine


@pytest.mark.parametrize(
    ("length", "guidance", "cut"),
    [(511, 3.0, []), (512, 3.0, ["prompt", "negative prompt"]), (512, 1.0, ["prompt"])],
)
def test_a_text_that_is_cut_is_told(
    text_engine: DiffusersWanEngine,
    make: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    length: int,
    guidance: float,
    cut: list[str],
) -> None:
    """The tiny tokenizer has a token a byte and one for the end; a text that is not read is not."""
    request = make.request(model="tiny_t2v", phases=[(1, guidance, "high")], prompt="a" * length)
    request = replace(request, negative_prompt=request.prompt)
    text_engine.generate(request, Inputs(), make.observer())
    assert [
        record.getMessage() for record in caplog.records if "tokens" in record.getMessage()
    ] == [
        f"the {which} has 513 tokens and the model reads the first 512; shorten it" for which in cut
    ]
