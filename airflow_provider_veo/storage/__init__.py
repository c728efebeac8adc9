"""From an HTTP stream to a finished object: nothing half-written, and everybody told."""
