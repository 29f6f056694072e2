"""Telemetry that survives the process: journalled before the next line runs, shipped by another."""
