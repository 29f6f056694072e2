"""Inputs: pictures, LoRA files and earlier videos, fetched and verified before they are used."""
