"""Orders: the record of what was ordered, the decision about a retry, and the sending."""
