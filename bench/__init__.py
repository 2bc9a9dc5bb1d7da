"""Measures what the system promises of its speed, each figure beside the limit it is held to."""
