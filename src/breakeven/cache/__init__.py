"""Remembered answers: exact and semantic stores, and calls under way that others may join."""
