"""Builds the demo's LoRAs and prints their paths: run as a process, since it loads torch."""

import sys
from pathlib import Path

from worker.engines.tiny import build_tiny_loras


def main(argv: list[str]) -> None:
    """Build them in the folder that is the only argument."""
    for path in build_tiny_loras(Path(argv[1])):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv)
