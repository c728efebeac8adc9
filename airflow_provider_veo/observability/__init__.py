"""The traces of a task: page entries, summary, metrics, spans and lineage."""
