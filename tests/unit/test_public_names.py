"""The public names: `__all__`, the reference and the page about upgrades agree."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import airflow_provider_veo

DOCS = Path(airflow_provider_veo.__file__).parents[1] / "docs"
PUBLIC = (
    "api",
    "api.chat.events",
    "api.errors",
    "decorators",
    "emulator",
    "exceptions",
    "hooks",
    "links",
    "operators",
    "policies",
    "sensors",
    "testing",
    "triggers",
)
every_module = pytest.mark.parametrize("module", PUBLIC)


def import_public(module):
    return import_module(f"airflow_provider_veo.{module}")


def members_of(module):
    return {(name, id(getattr(module, name))) for name in module.__all__}


def members_of_reference():
    """Return the names and objects of the directives in the reference."""
    found = set()
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    for kind, path in re.findall(r"^\.\. auto(\w+):: (\S+)", text, re.MULTILINE):
        if kind == "module":
            found |= members_of(import_module(path))
        else:
            module, _, name = path.rpartition(".")
            found.add((name, id(getattr(import_module(module), name))))
    return found


@every_module
def test_the_names_are_sorted_and_can_be_imported(module):
    public = import_public(module)
    assert public.__all__ == sorted(public.__all__)
    assert all(getattr(public, name) is not None for name in public.__all__)


@every_module
def test_another_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = import_public(module).nothing


def test_the_reference_has_the_public_names_and_no_others():
    public = set().union(*(members_of(import_public(module)) for module in PUBLIC))
    assert {name for name, _ in public ^ members_of_reference()} == set()


@every_module
def test_the_package_and_the_page_about_upgrades_name_each_public_module(module):
    upgrading = (DOCS / "upgrading.md").read_text(encoding="utf-8")
    assert f"`airflow_provider_veo.{module}`" in upgrading
    assert f"{module}`" in airflow_provider_veo.__doc__
