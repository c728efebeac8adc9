"""The chat call: videos are ordered and delivered in one stream of events."""
