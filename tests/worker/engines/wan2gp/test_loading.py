"""Models in a checkout: loaded as its entry does, counted, released, seen when it loads itself."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import telemetry
from telemetry import names
from worker.engines.wan2gp.loading import Loader

from .conftest import Recording

ALREADY = f"{names.ENGINE_RESULT}already_loaded"
BY = f"{names.ENGINE_RESULT}loaded_by"


class Checkout(ModuleType):
    """A module that loads models, and keeps what it was told."""

    def __init__(self) -> None:
        super().__init__("wgp")
        self.told: list[Any] = []
        self.wan_model: Any = None
        self.offloadobj: Any = None
        self.transformer_type: str | None = None
        self.reload_needed = True

    def load_models(self, model_type: str, override_profile: int = -1) -> tuple[Any, Any]:
        """Load one."""
        self.told.append(("load", model_type, override_profile))
        if model_type == "broken":
            raise KeyError("a tensor")
        self.transformer_type = model_type
        return SimpleNamespace(vae=model_type, transformer=1), "offload"

    def release_model(self) -> None:
        """Release it."""
        self.told.append(("release", self.transformer_type))
        self.wan_model = self.offloadobj = self.transformer_type = None


@pytest.fixture
def module() -> Checkout:
    """Make a checkout's module."""
    return Checkout()


def open_span(call: str, model: Any, params: Any) -> Any:
    """Open the span of a call, as the engine does."""
    return telemetry.engine_call(call, engine="wan2gp", model=model, params=params)


def test_what_cannot_be_loaded_by_its_name_alone_is_left_to_the_entry(module: Checkout) -> None:
    """It knows what else is to be given."""
    module.load_models = lambda _, profile: profile  # type: ignore[assignment, misc, method-assign]  # a checkout's may be anything
    assert Loader(module).load("lake") == {BY: "the entry, when it is called"}
    assert module.told == []


def test_a_model_is_loaded_where_its_entry_looks_for_it(module: Checkout) -> None:
    """So that the entry finds it loaded."""
    loader = Loader(module)
    assert loader.loaded is None
    assert loader.load("lake") == {ALREADY: False}
    assert (module.wan_model.vae, module.offloadobj) == ("lake", "offload")
    assert (module.transformer_type, module.reload_needed) == ("lake", False)
    assert (loader.loaded, loader.count) == ("lake", 1)
    assert loader.components == {"vae": "lake", "transformer": 1}


def test_one_that_is_loaded_is_not_loaded_again(module: Checkout) -> None:
    """Nor counted."""
    loader = Loader(module)
    loader.load("lake")
    assert loader.load("lake") == {ALREADY: True}
    assert (module.told, loader.count) == ([("load", "lake", -1)], 1)


def test_one_that_is_to_be_reloaded_is(module: Checkout) -> None:
    """The checkout says so after its settings have changed."""
    loader = Loader(module)
    loader.load("lake")
    module.reload_needed = True
    assert loader.load("lake") == {ALREADY: False}
    assert loader.count == 2


def test_another_is_released_first(module: Checkout) -> None:
    """Both together need not fit."""
    loader = Loader(module)
    loader.load("lake")
    loader.load("sea")
    assert [told[:2] for told in module.told] == [
        *(("load", "lake"), ("release", "lake"), ("load", "sea"))
    ]
    assert loader.loaded == "sea"


def test_one_that_cannot_be_loaded_leaves_none(module: Checkout) -> None:
    """And is not counted."""
    loader = Loader(module)
    loader.load("lake")
    with pytest.raises(KeyError):
        loader.load("broken")
    assert (loader.loaded, loader.count, dict(loader.components)) == (None, 1, {})


def test_nothing_is_released_where_nothing_is_loaded(module: Checkout) -> None:
    """Nor where the checkout cannot."""
    Loader(module).release()
    assert module.told == []
    Loader(SimpleNamespace(wan_model=1, transformer_type="lake")).release()


@pytest.mark.parametrize("missing", ["load_models", "transformer_type", "wan_model"])
def test_a_checkout_that_loads_otherwise_is_left_to_it(missing: str) -> None:
    """Its entry does it."""
    held = {"load_models": None, "wan_model": None, "offloadobj": None, "transformer_type": None}
    module = SimpleNamespace(**{name: one for name, one in held.items() if name != missing})
    loader = Loader(module)
    assert loader.load("lake") == {BY: "the entry, when it is called"}
    assert (loader.loaded, loader.count) == (None, 0)


def test_what_the_entry_loads_itself_is_a_span(recording: Recording, module: Checkout) -> None:
    """In the call that it happens in, with what it was called with; it is counted."""
    loader = Loader(module)
    with recording.generating() as call, loader.watching(open_span):
        held = module.load_models("lake", override_profile=4)
    [span] = [span for span in recording.spans() if span.name == names.engine("load")]
    assert span.parent_id == call.span_id
    assert span.attributes[names.ENGINE_MODEL] == "lake"
    assert span.attributes[f"{names.ENGINE_PARAM}override_profile"] == 4
    assert span.attributes[BY] == "the entry"
    assert (held[1], loader.count) == ("offload", 1)


def test_a_load_of_the_entrys_that_fails_ends_so(recording: Recording, module: Checkout) -> None:
    """The exception is the entry's; no model has been loaded."""
    loader = Loader(module)
    with recording.generating(), loader.watching(open_span), pytest.raises(KeyError):
        module.load_models(model_type="broken")
    [span] = [span for span in recording.spans() if span.name == names.engine("load")]
    assert (span.status, span.attributes[names.ENGINE_MODEL]) == (2, "broken")
    assert loader.count == 0


def test_the_checkout_has_its_own_back() -> None:
    """Also when the block raises, or there is none."""

    def load_models(model_type: str) -> None: ...

    module = SimpleNamespace(load_models=load_models)

    def fails() -> None:
        assert module.load_models is not load_models
        raise ValueError("in the block")

    with pytest.raises(ValueError, match="in the block"), Loader(module).watching(open_span):
        fails()
    assert module.load_models is load_models
    with Loader(SimpleNamespace()).watching(open_span):
        pass
