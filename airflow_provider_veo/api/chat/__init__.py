"""The streaming chat call."""
