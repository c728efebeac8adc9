"""The parts that operators and sensors share: checked arguments, the deferral, and the call of a task by Airflow."""
