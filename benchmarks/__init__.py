"""`python -m benchmarks`: measure the cost of waiting for videos and of storing them, against other ways to do it."""
