"""What the models of all families use."""
