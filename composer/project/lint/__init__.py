"""Mistakes that load: what `compose check` looks for, each by a small function with a code of its own.

A rule gets the loaded project and yields findings with their places; its docstring is its page in `docs/checks.md`. Rules
look at what people meant, so they may be wrong: nothing here stops a project from coming up.
"""
