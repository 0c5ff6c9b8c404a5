"""From tables and targets to what a network learns from."""
