"""The backend for Google's Interactions API, which makes videos with Gemini Omni.

Two services speak it: the Gemini API, with an API key, and the Agent Platform of Google Cloud (formerly Vertex AI).

- `backend`: `GeminiBackend` builds the requests.
- `orders`: `build_body` turns an order into the body of the create call.
- `rules`: `check_order` refuses an order that the model cannot make, before it is sent.
- `prices`: the price of a video, before the order and from the usage in an answer.
- `interactions`: reads the answers that describe jobs.
- `files`: reads the answers of Google's Files API, which keeps finished videos.
- `probe`: reads the answer to a free question, which shows whether the API accepts the key.
- `errors`: the reason of Google's errors, and whether an order has surely made no job.
"""
