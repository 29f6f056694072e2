"""What wgp.py uses."""
