"""The family of stand-in models."""
