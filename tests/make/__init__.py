"""Builders of test images and projects."""
