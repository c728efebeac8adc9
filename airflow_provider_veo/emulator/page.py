"""The emulator's page about its jobs and their cost."""

from __future__ import annotations

from html import escape

from airflow_provider_veo.emulator.jobs import Job, Jobs

_MOST_ROWS = 50
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
dl { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0 }
dl div { padding: .6rem 1rem; border: 1px solid #8884; border-radius: .5rem }
dt { opacity: .7 } dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums }
table { width: 100%; border-collapse: collapse } th, td { text-align: left; padding: .35rem .6rem .35rem 0 }
td:first-child { overflow-wrap: anywhere } tr { border-bottom: 1px solid #8883 } progress { width: 6rem }
"""


def make_page(jobs: Jobs) -> str:
    """Return the page as HTML, which reloads every two seconds."""
    report = jobs.report()
    figures = "".join(
        f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{report[name]:g}</dd></div>" for name in report
    )
    now = jobs.clock()
    rows = "".join(_row(job, now) for job in jobs.all()[:_MOST_ROWS])
    table = (
        f"<table><tr><th>prompt<th>model<th>status<th>progress</tr>{rows}</table>" if rows else "<p>No orders yet.</p>"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Veo emulator</title><style>{_STYLE}</style>"
        f"<h1>Veo emulator</h1><p>It speaks the dialect <b>{escape(jobs.settings.dialect)}</b>. Nothing here costs "
        "money: charged is the cost at the real gateway.</p>"
        f"<dl>{figures}</dl>{table}</html>"
    )


def _row(job: Job, now: float) -> str:
    return (
        f"<tr><td>{escape(job.prompt[:200])}<td>{escape(job.model.id)}<td>{escape(job.status(now))}"
        f'<td><progress max="100" value="{job.progress(now):.0f}"></progress></tr>'
    )
