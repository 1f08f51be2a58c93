"""The Compose file, from text to a model that nobody has to interpret again."""
