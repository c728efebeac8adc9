"""Links from Airflow's task view."""
