"""The keys of the XComs that tasks of this provider write, apart from their result."""

from __future__ import annotations

ORDER_KEY = "veo_order"
"""The `OrderEntry` for the Veo page."""

OUTCOME_KEY = "veo_outcome"
"""The `OutcomeEntry` for the Veo page."""

PROGRESS_KEY = "progress"
"""The progress of a task that waits, as `format_progress` writes it."""
