"""Triggers of the Veo provider."""
