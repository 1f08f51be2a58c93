"""Scenarios that drive the `compose` command from outside, each an obligation in a sentence."""
