"""Where a record comes from when there is no journal: a black box, a Jaeger."""
