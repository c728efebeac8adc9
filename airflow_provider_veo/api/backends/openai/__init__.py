"""The backend for OpenAI's Videos API (`/v1/videos`), which many servers copy."""
