"""Sensors of the Veo provider."""
