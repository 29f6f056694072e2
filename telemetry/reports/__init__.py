"""Reports: pure functions from journal records to a value, and renderers of that value."""
