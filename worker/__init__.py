"""The worker: claims video generation tasks, generates, settles; every failure names its line."""
