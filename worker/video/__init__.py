"""Video files: written, verified, copied, and read back as frames."""
