"""Keep diffusers, transformers and the hub off the terminal; their records go to `logging`."""

import logging

import diffusers.utils.logging as diffusers_logging
import transformers.utils.logging as transformers_logging
from huggingface_hub.utils.tqdm import disable_progress_bars


def route_library_logs() -> None:
    """Turn progress bars off and hand the libraries' records to the root logger.

    Both libraries write to stderr themselves, where a supervisor looks for the last words of
    native code. Call it before their pipelines are imported: some warn at import.
    """
    disable_progress_bars()
    for library, name in ((diffusers_logging, "diffusers"), (transformers_logging, "transformers")):
        library.disable_progress_bar()
        library.disable_default_handler()
        library.enable_propagation()
        logger = logging.getLogger(name)
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            # Without any handler Python writes warnings to stderr after all.
            logger.addHandler(logging.NullHandler())
    logging.getLogger("diffusers.pipelines.pipeline_utils").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell apart from what is news that a pipeline has the worker's own codec for a VAE."""
    message = record.getMessage()
    return not (message.startswith("Expected types for vae") and "PatchCodec" in message)
