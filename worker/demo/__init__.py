"""The demo: four pictures that ship with the worker become one video, on this machine."""

from worker.demo.show import run_demo

__all__ = ["run_demo"]
