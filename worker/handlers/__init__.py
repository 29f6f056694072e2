"""Handlers: one per task type; each returns an outcome."""
