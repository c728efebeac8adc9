"""Backends: the protocols of video APIs, and the profiles of gateways."""
