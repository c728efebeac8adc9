"""The Dag whose task instances are deferred: its file and its names."""

from __future__ import annotations

DAG_ID = "benchmark"
TASK_ID = "wait"

DAG_FILE = f"""
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("{DAG_ID}", schedule=None):
    EmptyOperator(task_id="{TASK_ID}")
"""
