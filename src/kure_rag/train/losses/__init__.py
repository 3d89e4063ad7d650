"""Losses that sentence-transformers does not have; each recipe imports its own."""
