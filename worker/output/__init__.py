"""Output: the video file, its verification, and where it is kept."""
