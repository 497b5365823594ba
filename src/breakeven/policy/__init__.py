"""Decide on one request, from values alone: budgets, limits, routes. Nothing here waits, reads a clock or stores."""
