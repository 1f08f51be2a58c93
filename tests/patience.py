"""How long tests wait for what must come."""

PATIENCE = 60.0
"""Seconds. What comes ends the wait at once; so this costs nothing, and a machine with much else to do may take its time."""
