"""Engines that generate video: one Protocol in `base`, one module per engine."""
