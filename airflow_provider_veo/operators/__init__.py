"""Operators of the Veo provider."""
