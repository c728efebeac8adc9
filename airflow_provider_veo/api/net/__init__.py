"""The network below the clients: every call has an end, and a bound on the bytes that are read."""
