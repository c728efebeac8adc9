"""Backends, one package for each protocol of video APIs, and the profiles of gateways.

A backend turns orders (`api.specs`) into requests (`api.request`), and answers into jobs (`api.video`) or errors. It is
pure: `api.client` sends the requests. It consists of these modules and functions:

- `requests`: `create_video`, `create_video_as_form`, `create_chat_completion`, `get_video`, `cancel_video`,
  `get_content`, `list_models` and `list_videos` build the requests.
- `videos`: `parse_video`, `parse_videos` and `find_url` read the answers that describe jobs, with the help of
  `endings` (has the job ended, and why is there no video?) and `status_words` (which status does a word mean?).
- `refusals`: `judge` decides whether an order that was answered by an error has surely made no job.
- `cancelling`: `read_cancellation` reads the result of a cancellation.
- `probe`: `check_api` checks an address and a key at no cost.

`profiles` describes gateways of every protocol.
"""
