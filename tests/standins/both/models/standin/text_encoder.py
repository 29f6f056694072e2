"""Turns a prompt into three numbers: a colour."""

import hashlib

import numpy as np
from shared.utils.faults import asked

_CONTEXT = 512


def encode(prompt):
    """Return the prompt's colour, each channel in -1 … 1. No two prompts have the same one."""
    tokens = prompt.split()
    if asked("text-encoder"):
        tokens *= 1 + _CONTEXT
        raise ValueError(f"{len(tokens)} tokens do not fit into {_CONTEXT}")  # fault: text-encoder
    digest = hashlib.sha256(prompt.encode()).digest()
    return np.frombuffer(digest[:3], dtype=np.uint8).astype(np.float32) / 127.5 - 1
