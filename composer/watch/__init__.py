"""Watching files: what changed below the paths of `develop.watch`, and bringing it into a container's root."""
