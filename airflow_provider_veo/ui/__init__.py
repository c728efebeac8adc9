"""The Veo page in Airflow's UI: imported by the API server only, when it is first asked."""
