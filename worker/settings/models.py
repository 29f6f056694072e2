"""The models that tasks may name, as far as the settings lead to what describes them."""

from typing import TypeAlias

from worker.engines.catalog import Catalog
from worker.engines.wan2gp.model_files import ModelFiles, UnseenModels
from worker.params.defaults import WGP
from worker.params.payload import UnknownKeys
from worker.settings.settings import Settings

ModelSource: TypeAlias = Catalog | ModelFiles | UnseenModels


def models_of(settings: Settings) -> ModelSource:
    """Return the models of the engine that is set: of the definition files, or of its checkout.

    Raises `SettingsError` naming a folder or a definition file that is wrong.
    """
    if settings.engine != WGP:
        return Catalog.load(settings.models_dirs)
    checkout = settings.wan2gp_checkout
    if checkout is None or not checkout.is_dir():
        return UnseenModels()
    return ModelFiles(checkout)


def unknown_keys_of(settings: Settings) -> UnknownKeys:
    """Return what becomes of unknown keys where a task is planned without its engine.

    What a checkout's engine takes, it alone knows: it refuses the others when the task runs.
    """
    return "pass" if settings.engine == WGP else settings.unknown_params
