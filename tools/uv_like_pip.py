"""Runs uv with what pip is configured with here: index, links, certificates, proxy, time limit.

uv does not read pip's configuration, and this repository holds no addresses. What is already set
for uv itself stays as it is.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX",),
    "extra-index-url": ("UV_INDEX",),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_NO_INDEX",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "timeout": ("UV_HTTP_TIMEOUT",),
}
# As pip has it: the environment over what is for `install` over what is for everything.
SECTIONS = ("global", "install", ":env:")


def variables(listing: str) -> dict[str, str]:
    """Turn the output of `pip config list` into uv's environment variables."""
    found: dict[str, str] = {}
    lines = [line.partition("=") for line in listing.splitlines() if "=" in line]
    for section in SECTIONS:
        for name, _, quoted in lines:
            where, _, option = name.rpartition(".")
            if where == section and option in VARIABLES:
                parts = str(ast.literal_eval(quoted)).split()
                if option == "find-links":  # pip passes over a folder that is not there
                    parts = [part for part in parts if "://" in part or Path(part).exists()]
                value = ("," if option == "find-links" else " ").join(parts)
                if value:
                    found |= dict.fromkeys(VARIABLES[option], value)
    return found


def main() -> None:
    """Replace this process by uv with the given arguments."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    uv = str(Path(sys.executable).parent / "uv")
    os.execve(uv, [uv, *sys.argv[1:]], {**variables(listing), **os.environ})  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
