"""Access to Airflow beyond its public interface."""
