"""The families of models that this checkout has: one."""
