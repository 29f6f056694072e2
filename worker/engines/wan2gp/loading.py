"""Models in a checkout: loaded, counted, released; also those that it loads by itself."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from telemetry import RecordedSpan, names

_LOAD: Final = "load_models"
# What its entry looks at to know whether it has the right model.
_KNOWN_BY: Final = ("wan_model", "offloadobj", "transformer_type")
OpenSpan = Callable[..., AbstractContextManager[RecordedSpan]]


class Loader:
    """Loads models as the checkout's own entry does, so that the entry finds them loaded.

    Args:
        module: The checkout's.

    Attributes:
        count: How many times a model has been loaded.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self.count = 0

    @property
    def loaded(self) -> str | None:
        """Name of the model that is loaded now."""
        held = getattr(self._module, "wan_model", None)
        name = getattr(self._module, "transformer_type", None)
        return None if held is None or name is None else str(name)

    @property
    def components(self) -> Mapping[str, Any]:
        """The loaded model's parts by name."""
        held = getattr(self._module, "wan_model", None)
        return {} if held is None else dict(getattr(held, "__dict__", {}))

    def load(self, model: str) -> dict[str, Any]:
        """Load a model unless it is loaded; return what the span says of it."""
        already = self.loaded == model and not getattr(self._module, "reload_needed", False)
        if already:
            return {f"{names.ENGINE_RESULT}already_loaded": True}
        if not self._can_load:
            return {f"{names.ENGINE_RESULT}loaded_by": "the entry, when it is called"}
        self.release()
        self._module.wan_model, self._module.offloadobj = self._module.load_models(model)
        self._module.transformer_type = model
        self._module.reload_needed = False
        self.count += 1
        return {f"{names.ENGINE_RESULT}already_loaded": False}

    @property
    def _can_load(self) -> bool:
        """Whether a model's name is all that loading takes, and what is loaded is kept as known."""
        if not all(hasattr(self._module, name) for name in (_LOAD, *_KNOWN_BY)):
            return False
        try:
            inspect.signature(self._module.load_models).bind("a model")
        except TypeError:
            return False
        return True

    def release(self) -> None:
        """Have the checkout release its model."""
        release = getattr(self._module, "release_model", None)
        if self.loaded is not None and release is not None:
            release()

    @contextmanager
    def watching(self, open_span: OpenSpan) -> Iterator[None]:
        """Have every load in the block be a span: the entry may load another model, or again."""
        theirs = getattr(self._module, _LOAD, None)
        if theirs is None:
            yield
            return

        @functools.wraps(theirs)
        def load_models(*args: Any, **named: Any) -> Any:
            model = args[0] if args else named.get("model_type", "")
            scalars = {name: value for name, value in named.items() if name != "model_type"}
            with open_span("load", model, scalars) as span:
                span.set_attribute(f"{names.ENGINE_RESULT}loaded_by", "the entry")
                loaded = theirs(*args, **named)
                self.count += 1
                return loaded

        setattr(self._module, _LOAD, load_models)
        try:
            yield
        finally:
            setattr(self._module, _LOAD, theirs)
