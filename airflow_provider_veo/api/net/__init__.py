"""The network layer below the clients: every call has a time limit and a limit of bytes."""
