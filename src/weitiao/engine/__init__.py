"""Weights in motion: everything that imports torch."""
