"""Settings: what they are, where each comes from, and the home folder that they name."""

from worker.settings.settings import Settings

__all__ = ["Settings"]
