"""Hooks of the Veo provider."""
