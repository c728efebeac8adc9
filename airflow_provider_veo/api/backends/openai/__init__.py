"""OpenAI's Videos API, as many servers speak it."""
