"""File formats: pictures and videos, read from their bytes."""
