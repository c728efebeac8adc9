"""Orders: the record of the latest order, the decision about a retry, and the sending."""
