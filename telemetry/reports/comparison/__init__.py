"""Two tasks side by side: what differs that matters, and the first divergence."""
