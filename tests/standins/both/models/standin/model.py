"""The model: a few steps over a small latent, and frames out of it."""

import ctypes
import os
import sys
import threading
import time

import numpy as np
from shared.utils.faults import asked

from models.standin import scheduler, text_encoder, vae

# What hangs ends by itself, should nobody end it.
_HANG_S = 600
_SLOW_S = 0.2
_LOCK_BYTES = 128  # more than any C library takes; zeros are a lock that is free
_NEVER = threading.Event()


def load(model_type, model_def):
    """Return the model, as from its weights."""
    tensors = {"blocks.0.weight": (8, 8)}
    if asked("load"):
        shape = tensors["blocks.1.weight"]  # fault: load
        raise ValueError(f"{model_type} has a wrong {shape}")
    return StandinModel(model_type, model_def)


def _shown(steps, total):
    """Show how far they are, on one line."""
    for step in steps:
        if step.index == 1 and asked("in-generator"):
            raise LookupError(f"no bar is {total / step.index} wide")  # fault: in-generator
        yield step
        sys.stderr.write(f"\r{step.index + 1}/{total} [t={step.timestep:.1f}]")
    sys.stderr.write("\n")


class StandinModel:
    """Denoises; `_interrupt` is set from outside, and looked at before each step."""

    def __init__(self, model_type, model_def):
        self.model_type = model_type
        self.model_def = model_def
        self._interrupt = False
        self.plan = []
        self.cache = None

    def generate(self, *, prompt, start, end, frames, steps, seed, loras, callback):
        """Return frames, or None when it was interrupted.

        Args:
            prompt: A text.
            start: A picture, as float32.
            end: Another, which the last frame is.
            frames: How many.
            steps: What `scheduler.walk` takes.
            seed: For the noise.
            loras: LoRAs with what they are worth at a step.
            callback: Called with (-1, None, …) first, then with the index and latent of each step.
        """
        self.cache = {"prompt": prompt}
        self.plan = []
        try:
            context = text_encoder.encode(prompt)
            times = steps["times"]
            callback(-1, None, force_refresh=True, override_num_inference_steps=len(times))
            noise = np.random.default_rng(seed).standard_normal((4, 4, 3)).astype(np.float32)
            wanted, latent = context + noise / 2, noise
            for step in _shown(scheduler.walk(**steps), len(times)):
                if self._interrupt:
                    return None
                latent = self._step(latent, step, wanted, times, loras)
                callback(step.index, latent, force_refresh=False, extra=f"Phase {step.phase}")
            if asked("in-finally"):
                raise ArithmeticError("no latent is left")  # fault: in-finally, under way
            callback(-1, None, force_refresh=True, phase="VAE Decoding")
            return vae.decode(latent, start, end, frames)
        finally:
            self._clear()

    def _step(self, latent, step, wanted, times, loras):
        """Move the latent towards what is wanted, under this step's guidance and LoRAs."""
        strengths = [lora.strength(step) for lora in loras]
        self.plan.append({**step._asdict(), "loras": strengths})
        if step.index == 1:
            self._meet()
        if asked("slow-steps"):
            time.sleep(_SLOW_S)  # fault: slow-steps
        wanted = wanted * np.float32(step.guidance / 5)
        for lora, strength in zip(loras, strengths, strict=True):
            wanted = wanted + lora.colour * np.float32(strength)
        return scheduler.advance(latent, wanted, times)

    def _meet(self):
        """Meet what ends or stops a process in the middle of a step."""
        if asked("segfault"):
            ctypes.CDLL(None).memset(0, 1, 1)  # fault: segfault
        if asked("abort"):
            ctypes.CDLL(None).abort()  # fault: abort
        if asked("exit-now"):
            os._exit(0)  # fault: exit-now
        if asked("hang"):
            time.sleep(_HANG_S)  # fault: hang
        if asked("hang-native"):
            # No signal ends this wait, as one would end a sleep.
            native, lock = ctypes.PyDLL(None), ctypes.create_string_buffer(_LOCK_BYTES)
            until = (ctypes.c_long * 2)(int(time.time()) + _HANG_S, 0)
            native.pthread_mutex_lock(lock)
            native.pthread_mutex_timedlock(lock, until)  # fault: hang-native
        while asked("ignores-cancel"):
            time.sleep(_SLOW_S)  # fault: ignores-cancel
        if asked("leaves-thread"):
            upload = threading.Thread(target=_NEVER.wait, name="pinned-upload", daemon=True)
            upload.start()  # fault: leaves-thread

    def _clear(self):
        if asked("in-finally"):
            self.cache = None
        del self.cache["prompt"]  # fault: in-finally
