"""The settings' limits on inputs, in the units of those who keep to them."""

from worker.inputs.policy import InputPolicy
from worker.settings.settings import Settings
from worker.settings.storing import own_addresses

MEGA = 1_000_000


def input_policy(settings: Settings) -> InputPolicy:
    """Say where inputs may come from, and how large they may be.

    The tasks of the local queue come from this machine, so no roots mean that every path is theirs.
    """
    return InputPolicy(
        cache_dir=settings.cache_dir,
        local_roots=settings.allowed_roots or None,
        outputs_dir=settings.outputs_dir,
        own_storage=own_addresses(settings),
        private_addresses=settings.private_addresses,
        max_picture_bytes=int(settings.max_picture_mb * MEGA),
        max_picture_pixels=int(settings.max_picture_megapixels * MEGA),
        max_lora_bytes=int(settings.max_lora_mb * MEGA),
        timeout_s=settings.download_timeout_s,
    )
