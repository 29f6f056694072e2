"""The environment variables that a server gets."""

import os


def server_environment(**own: str) -> dict[str, str]:
    """Return an environment in which nothing of a worker's, or of a test's, has a say.

    Args:
        own: What the server wants to have said beside it.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC", **own}
