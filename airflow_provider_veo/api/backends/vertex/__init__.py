"""The backend for Veo on Google Cloud (Agent Platform, formerly Vertex AI): `backend.VertexBackend`.

A job is a long-running operation. Its name is the ID of the job, and names project, location and model.
"""
