"""Payloads: each type's params, parsed and checked once, before anything else looks at them."""
