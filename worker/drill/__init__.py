"""Drills: a fault is made on purpose, and what was found of it is held against what was planted."""
