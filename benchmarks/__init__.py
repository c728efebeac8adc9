"""`python -m benchmarks`: what waiting for videos costs, beside the other ways to wait, on the machine at hand."""
