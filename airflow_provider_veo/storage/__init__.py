"""Storing files: from an HTTP stream to a complete file or object, which readers never see half-written."""
