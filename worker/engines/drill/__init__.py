"""The engine that fails on purpose: `loop26 drill` has each of its models meet one fault."""

from worker.engines.drill.engine import DrillEngine

__all__ = ["DrillEngine"]
