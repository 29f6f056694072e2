"""Parameters: from a task's payload to a frozen request with every value's provenance. Pure."""
