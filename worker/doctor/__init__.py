"""The doctor: what is wrong with an engine or a queue, and what to do about each thing."""
