"""Images at rest: stored, checked, unpacked; never run."""
