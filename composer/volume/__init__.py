"""Volumes.
"""
