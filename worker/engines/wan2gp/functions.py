"""A checkout called by its module's own functions."""

from collections.abc import Callable
from typing import Any, Final

from worker.engines.wan2gp.api import MakeListener, Said, entry_of
from worker.engines.wan2gp.arguments import Arguments
from worker.engines.wan2gp.checkout import MODULE, Checkout
from worker.engines.wan2gp.witness import SEND, Witness

_FOLDERS: Final = ("save_path", "image_save_path", "audio_save_path")


class ModuleFunctions:
    """Calls `generate_media`, or `generate_video`, in this thread; see `api.Api`."""

    def __init__(self, checkout: Checkout) -> None:
        self.module = checkout.find(MODULE)
        self.entry = entry_of(self.module, checkout.root)
        self.name = self.entry.name
        self.ours: tuple[str, ...] = ("task", SEND, "state", "plugin_data")
        _write_into(self.module, str(checkout.outputs))

    def generate(self, arguments: Arguments, make_listener: MakeListener) -> Said:
        """Call the entry with a state that is new, so that nothing is left in it."""
        state = fresh_state(str(arguments.values.get("model_type", "")))
        witness = Witness(lambda: make_listener(self._abort(state)))
        own = {"state": state, "plugin_data": {}}
        given = {name: value for name, value in own.items() if self.entry.takes(name)}
        call = witness.around(getattr(self.module, self.entry.name))
        task = {"id": 1, "prompt": arguments.values.get("prompt", ""), "params": {}}
        escaped = None
        try:
            call(task, _send, **arguments.values, **given)
        except BaseException as exc:  # noqa: BLE001 - it is raised again when the call is judged
            escaped = exc
        return Said(
            files=tuple(map(str, state["gen"]["file_list"])),
            listener=witness.listener,
            escaped=escaped,
        )

    def leftover_abort(self) -> bool:
        """Look at the model; the state is a new one each time."""
        return take_interrupt(self.module)

    def _abort(self, state: dict[str, Any]) -> Callable[[], None]:
        def abort() -> None:
            state["gen"]["abort"] = True
            interrupt(self.module)

        return abort


def fresh_state(model: str) -> dict[str, Any]:
    """Return the state that an entry expects: it looks up each of these without asking."""
    gen = {
        "queue": [],
        "in_progress": True,
        "file_list": [],
        "file_settings_list": [],
        "audio_file_list": [],
        "audio_file_settings_list": [],
        "selected": 0,
        "audio_selected": 0,
        "prompt_no": 1,
        "prompts_max": 1,
        "repeat_no": 0,
        "total_generation": 1,
        "window_no": 0,
        "total_windows": 0,
        "progress_status": "",
        "progress_phase": ("", -1),
        "process_status": "process:main",
        "abort": False,
        "early_stop": False,
        "early_stop_forwarded": False,
        "preview": None,
        "status": "",
    }
    return {"model_type": model, "edit_model_type": model, "gen": gen, "loras": []}


def interrupt(module: Any) -> None:
    """Ask the loaded model to stop at its next step."""
    model = getattr(module, "wan_model", None)
    if model is not None:
        model._interrupt = True  # noqa: SLF001 - its own way to be asked


def take_interrupt(module: Any) -> bool:
    """Whether the loaded model has been left with a wish to stop; it has none after this."""
    model = getattr(module, "wan_model", None)
    left = bool(getattr(model, "_interrupt", False))
    if left:
        model._interrupt = False  # type: ignore[union-attr]  # noqa: SLF001 - None has none
    return left


def _send(command: str, data: Any = None) -> None:
    """Take what the engine sends; the witness has heard it."""


def _write_into(module: Any, folder: str) -> None:
    """Have the checkout write its files into a folder, wherever it keeps that it does."""
    config = getattr(module, "server_config", None)
    for name in _FOLDERS:
        if isinstance(config, dict) and name in config:
            config[name] = folder
        if hasattr(module, name):
            setattr(module, name, folder)
