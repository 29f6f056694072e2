"""Queues of tasks: one Protocol in `base`, one module per kind of store."""
