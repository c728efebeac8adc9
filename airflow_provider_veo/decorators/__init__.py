"""Decorators of the Veo provider."""
