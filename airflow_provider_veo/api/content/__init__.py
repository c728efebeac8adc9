"""The content of a finished video: its address, and its download."""
