"""Thin doors, one file a command: parse, call a room, render."""
