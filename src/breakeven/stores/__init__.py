"""Connections and schema upgrades."""
