"""The engine that drives an operator's checkout of Wan2GP, in the checkout's own interpreter."""

import gc
import logging
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import telemetry
from telemetry import RecordedSpan, names
from worker.engines.base import (
    DeviceFacts,
    Generated,
    Inputs,
    MemoryFacts,
    ModelDefinition,
    Observer,
)
from worker.engines.lora_files import check_loras
from worker.engines.pictures import check_inputs
from worker.engines.wan2gp import lora_links
from worker.engines.wan2gp.api import Api
from worker.engines.wan2gp.arguments import Arguments, arguments_of, in_its_terms, shown
from worker.engines.wan2gp.definitions import definition_of, look_up
from worker.engines.wan2gp.habits import Left
from worker.engines.wan2gp.listener import Listener
from worker.engines.wan2gp.opened import Opened
from worker.engines.wan2gp.results import generated, named_files, raise_what_failed
from worker.engines.wan2gp.settings_cache import cache_of, staleness
from worker.engines.wan2gp.steps import StepSpans
from worker.engines.wan2gp.watching import Watch
from worker.params.defaults import WGP
from worker.params.payload import UnknownKeys
from worker.params.request import GenerationRequest

_log = logging.getLogger(__name__)


class Wan2gpEngine:
    """Generates with an operator's checkout; see `worker.engines.base.Engine`.

    The checkout is imported when the device is first asked for, and stays.

    Args:
        checkout: Its folder.
        config: The folder of its wgp_config.json; "" is the checkout's own.
        args: Its command line.
        outputs: Where folders are made for it to write its videos into.
        device: auto, cpu, cuda or cuda:N; which one it takes is for `args` to say.
        unknown_params: Whether a task's parameters that it has not are passed over, or refused.
        watch: Whether every exception that is raised in it is written down, for a replay.
    """

    name = WGP

    def __init__(
        self,
        *,
        checkout: str,
        config: str,
        args: list[str],
        outputs: str,
        device: str = "auto",
        unknown_params: UnknownKeys = "pass",
        watch: bool = False,
    ) -> None:
        self._root = Path(checkout).resolve()  # as its session resolves it
        self._watch = watch
        self._config = Path(config) if config else None
        self._args = tuple(args)
        self._outputs = Path(outputs)
        self._device = device
        self._unknown: UnknownKeys = unknown_params
        self._opened: Opened | None = None
        self._has_failed = False

    @property
    def loaded_model(self) -> str | None:
        """Name of the model that is loaded now."""
        return self._opened.loader.loaded if self._opened else None

    @property
    def load_count(self) -> int:
        """How many times a model has been loaded, by whomever."""
        return self._opened.loader.count if self._opened else 0

    def device(self) -> DeviceFacts:
        """Import the checkout, which needs its device at once, and prove that this computes."""
        opened = self._open()
        facts = {
            **opened.checkout.facts(opened.api.module),
            "api": opened.api.name,
            "entry": opened.api.entry.name,
            "parameters": len(opened.api.entry.taken),
        }
        return _proven(self._device, facts)

    def model_def(self, model: str) -> ModelDefinition:
        """Look up a model. Says what an earlier task of this process has left changed."""
        opened = self._open()
        self._let_go()
        with self._call("model_def", model) as span:
            found = opened.found()
            try:
                with opened.inside():
                    raw = look_up(opened.api.module, self._root, model)
                    found += opened.baseline.model_put_back(model, raw)
                    defaults, changed = opened.defaults(model)
                    found += changed
                    definition = definition_of(opened.api.module, model, raw, defaults)
            finally:
                span.set_attribute(names.ENGINE_STATE_FOUND, found)
                for text in found:
                    _log.warning("an earlier task of this process had left changed: %s", text)
            span.set_attribute(f"{names.ENGINE_RESULT}kind", definition.kind)
            span.set_attribute(f"{names.ENGINE_RESULT}weights", definition.weights)
            return definition

    def default_settings(self, model: str) -> Mapping[str, Any]:
        """Return a copy of the model's defaults; says where the checkout's cache of them is old."""
        opened = self._open()
        with self._call("default_settings", model) as span:
            with opened.inside():
                look_up(opened.api.module, self._root, model)
                defaults, _ = opened.defaults(model)
                stale = staleness(opened.api.module, self._root, model)
            span.set_attribute(f"{names.ENGINE_RESULT}count", len(defaults))
            span.set_attribute(f"{names.ENGINE_RESULT}cache", str(cache_of(self._root, model)))
            span.set_attribute(f"{names.ENGINE_RESULT}cache_stale", stale)
            if stale:
                _log.warning(
                    "defaults that may be stale: %s; remove it to have it made anew", stale
                )
            return MappingProxyType(defaults)

    def load(self, model: str) -> None:
        """Load the model unless it is loaded, after unloading another."""
        opened = self._open()
        with self._call("load", model, {"device": self._device}) as span, opened.inside():
            look_up(opened.api.module, self._root, model)
            span.set_attributes(opened.loader.load(model))

    def generate(self, request: GenerationRequest, inputs: Inputs, observer: Observer) -> Generated:
        """Generate one video: all parameters given, the result judged by its file."""
        opened = self._open()
        with self._call("generate", request.model) as span:
            with opened.inside():
                raw = look_up(opened.api.module, self._root, request.model)
                defaults, _ = opened.defaults(request.model)
                definition = definition_of(opened.api.module, request.model, raw, defaults)
            check_inputs(request, definition, inputs)
            check_loras(request, inputs)
            with lora_links.linked(
                inputs.loras, opened.api.module, request.model, self._root
            ) as loras:
                terms = in_its_terms(request, inputs, loras=loras, model_fps=definition.fps)
                arguments = arguments_of(
                    request,
                    entry=opened.api.entry,
                    primary=getattr(opened.api.module, "primary_settings", None) or {},
                    terms=terms,
                    unknown=self._unknown,
                    ours=opened.api.ours,
                )
                return self._generate(opened, request, arguments, observer, span)

    def memory(self, exc: BaseException | None = None) -> MemoryFacts:
        """Say who holds the device's memory, where the checkout's torch has a device."""
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return MemoryFacts()
        from worker.engines.device_memory import memory_facts

        current = torch.device("cuda", torch.cuda.current_device())
        return memory_facts(self._open().loader.components, current, exc)

    def unload(self) -> None:
        """Have the checkout release its model, and the device's memory."""
        opened = self._open()
        with opened.inside():
            opened.loader.release()
        gc.collect()

    def _generate(
        self,
        opened: Opened,
        request: GenerationRequest,
        arguments: Arguments,
        observer: Observer,
        span: RecordedSpan,
    ) -> Generated:
        told: list[StepSpans] = []

        def listener(abort: Any) -> Listener:
            told.append(StepSpans(request))
            watch = Watch(self._root) if self._watch else None
            return Listener(observer, told[-1], abort, root=self._root, watch=watch)

        params = shown(arguments.values).items()
        span.set_attributes({f"{names.ENGINE_PARAM}{name}": value for name, value in params})
        _say_what_is_not_taken(span, arguments, opened.api)
        opened.outputs.empty()
        left = Left()
        try:
            with (
                opened.loader.watching(self._call),
                opened.writers.watching(),
                opened.inside() as left,
            ):
                said = opened.api.generate(arguments, listener)
        finally:
            opened.baseline.call_ended(request.model)
            span.set_attribute(names.ENGINE_STATE_LEFT, left.texts)
        if said.listener is not None and said.listener.cancelled is not None:
            opened.api.leftover_abort()  # what asked it to stop is ours, and not the next task's
        span.set_attribute(names.ENGINE_FILES, named_files(said.files))
        self._has_failed = True  # until it is known that it has not
        raise_what_failed(said, opened.checkout.root)
        found = generated(
            said,
            opened.outputs,
            request,
            seconds=sum(one.spent_s for one in told),
            writers=opened.writers,
        )
        sides = zip(("frames", "height", "width"), found.frames.shape, strict=False)
        span.set_attributes({f"{names.ENGINE_RESULT}{side}": size for side, size in sides})
        span.set_attribute(f"{names.ENGINE_RESULT}steps", sum(one.told for one in told))
        self._has_failed = False
        return found

    def _let_go(self) -> None:
        """Have what the last failure's frames hold be freed: they and it are a cycle."""
        failed, self._has_failed = self._has_failed, False
        if failed:
            gc.collect()

    def _open(self) -> Opened:
        if self._opened is None:
            self._opened = Opened.at(
                self._root, config=self._config, args=self._args, outputs=self._outputs
            )
        return self._opened

    def _call(self, call: str, model: Any, params: Mapping[str, Any] | None = None) -> Any:
        return telemetry.engine_call(call, engine=self.name, model=model, params=params or {})


def _say_what_is_not_taken(span: RecordedSpan, arguments: Arguments, api: Api) -> None:
    span.set_attributes(
        {
            names.ENGINE_API: api.name,
            names.ENGINE_UNUSED: list(arguments.unused),
            names.ENGINE_FILLED: list(arguments.filled),
        }
    )
    if arguments.unused:
        _log.warning(
            "not parameters of this checkout's %s, and left out: %s",
            api.entry.name,
            ", ".join(arguments.unused),
        )


def _proven(device: str, facts: Mapping[str, Any]) -> DeviceFacts:
    """Have CUDA compute, where the checkout's torch has it; a checkout without torch needs none."""
    torch = sys.modules.get("torch")
    if torch is None:
        return DeviceFacts(kind="cpu", name=platform.machine(), facts={**facts, "torch": ""})
    from dataclasses import replace

    from worker.engines.placement import Placement, probe

    found = probe(Placement.choose(device=device, dtype="auto", offload="none"))
    return replace(found, facts={**found.facts, **facts})
