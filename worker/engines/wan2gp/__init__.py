"""Wan2GP, driven from a checkout that the operator provides, in an interpreter of its own."""
