"""Casework: what an investigation is made from, gathered out of the queue and a record."""

from worker.casework.gathering import gather

__all__ = ["gather"]
