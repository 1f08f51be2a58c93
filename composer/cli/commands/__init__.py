"""The commands: one file each, named as they are called, imported when they are.

Each file has an `app` with one typer function (or, for `image` and `engine`, several), which turns arguments into requests
and returns the exit code.
"""
