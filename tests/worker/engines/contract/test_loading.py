"""A model is loaded once, and stays until another is asked for."""

import pytest

from tests.worker.engines.contract.driven import Driven
from worker.errors import UnknownModel


def test_a_model_is_loaded_once(driven: Driven) -> None:
    """However often it is asked for, and generated with."""
    driven.engine.load(driven.model)
    before = driven.engine.load_count
    driven.engine.load(driven.model)
    driven.generate()
    assert (driven.engine.load_count, driven.engine.loaded_model) == (before, driven.model)


def test_another_model_takes_its_place(driven: Driven) -> None:
    """And back: each is a load of its own, and the video is the same as before."""
    driven.engine.load(driven.model)
    before = driven.engine.load_count
    for loads, model in enumerate((*driven.subject.others, driven.model), start=1):
        driven.engine.load(model)
        assert (driven.engine.load_count, driven.engine.loaded_model) == (before + loads, model)
    assert (driven.frames() == driven.first).all()


def test_what_is_unloaded_is_gone(driven: Driven) -> None:
    """The next generation loads it again, and gives the same video."""
    driven.engine.load(driven.model)
    before = driven.engine.load_count
    driven.engine.unload()
    driven.engine.unload()
    assert (driven.engine.load_count, driven.engine.loaded_model) == (before, None)
    assert (driven.frames() == driven.first).all()
    assert (driven.engine.load_count, driven.engine.loaded_model) == (before + 1, driven.model)


def test_a_generation_loads_its_own_model(driven: Driven) -> None:
    """Where another is loaded."""
    driven.engine.load(driven.subject.others[-1])
    assert (driven.frames() == driven.first).all()
    assert driven.engine.loaded_model == driven.model


def test_an_unknown_model_does_not_unload_the_known(driven: Driven) -> None:
    """It is refused before anything is let go of."""
    driven.engine.load(driven.model)
    before = driven.engine.load_count
    with pytest.raises(UnknownModel):
        driven.engine.load("no-such-model")
    assert (driven.engine.load_count, driven.engine.loaded_model) == (before, driven.model)
