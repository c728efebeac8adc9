"""The documentation site: `make docs`."""

from __future__ import annotations

from airflow_provider_veo import __version__

project = "airflow-provider-veo"
author = "The authors of airflow-provider-veo"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"airflow-provider-veo {version}"
exclude_patterns = ["_build"]

# docstrings name things in single backquotes
default_role = "literal"
autodoc_typehints = "none"  # the signature has them
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Yields", "returns_style")]

myst_heading_anchors = 3
