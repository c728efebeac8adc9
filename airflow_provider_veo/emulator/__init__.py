"""A free, offline stand-in for the video API: real HTTP, real MP4 files, no cost.

Start it with `python -m airflow_provider_veo.emulator`, or from Python with `EmulatorServer`. It needs the extra
`emulator`.
"""
