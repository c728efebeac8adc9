"""An offline stand-in for video APIs, with real HTTP and real MP4 files, free of charge.

Start it by `python -m airflow_provider_veo.emulator`, or in Python by `EmulatorServer`. It needs the extra `emulator`.
"""
