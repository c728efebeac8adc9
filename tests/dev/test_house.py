"""The counts of the package's structure, each checked on a small package."""

from __future__ import annotations

import pytest

from dev import house
from dev.house import COUNTS, House

CREATE = """
from airflow_provider_veo import records
from airflow_provider_veo.operators.base import Base
from airflow_provider_veo.records import Run


class VeoCreateVideoOperator(Base):
    def execute(self, context):
        self._order(context)
        records.publish(1, context)
        Run.of(context=context)
        Run(context)
        print(context)
        return context["ti"]

    def _order(self, context):
        super()._order(context)
        self.inherited(context)
        self._order(context)
"""
BASE = """
from ..records import helper


class Base:
    def _order(self, where):
        helper(where)

    def inherited(self, context):
        pass
"""
RECORDS = """
from airflow_provider_veo.deep import helper


class Run:
    @classmethod
    def of(cls, context):
        helper(context)


def publish(number, there):
    helper(there)
    helper(number)
"""
WALKED = {
    "operators/create.py": CREATE,
    "operators/base.py": BASE,
    "records.py": RECORDS,
    "deep.py": "def helper(context):\n    pass\n",
    "unrelated.py": "def print(context):\n    publish(context)\n",
}


@pytest.fixture
def build(tmp_path):
    def build(files):
        """Write a package of the given files; folders get an empty `__init__.py`."""
        root = tmp_path / house.PACKAGE
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
        return House.of(tmp_path)

    return build


def of_lines(count):
    return "def f():\n" + "    x = 1\n" * (count - 1)


@pytest.mark.parametrize(
    ("label", "files", "count"),
    [
        ("Python files", {"a.py": "", "b/c.py": ""}, 4),
        ("lines", {"a.py": "x = 1\n\n# why\n", "b.py": "y = 2"}, 4),
        ("lines of code", {"a.py": '"""One\ntwo."""\n\n# why\nx = 1  # why\ny = (\n    2\n)\n"""Of y."""\n'}, 4),
        (
            "lines of code without emulator and pytest plugin",
            {"a.py": "x = 1\n", "emulator/app.py": "x = 1\n", "testing.py": "x = 1\n", "api/testing.py": "x = 1\n"},
            2,
        ),
        ("lines of a file: median / largest", {"a.py": "x = 1\n" * 5, "b.py": "x = 1\n" * 3}, "3 / 5"),
        ("functions", {"a.py": "def f():\n    def g(): ...\n\nclass C:\n    async def h(self): ...\n"}, 3),
        (
            "lines of a function: median / p90 / p99",
            {"a.py": "\n".join(of_lines(lines) for lines in range(2, 102))},
            "51.5 / 92 / 101",
        ),
        ("lines of a function: median / p90 / p99", {}, "none"),
        ("functions over 50 lines", {"a.py": of_lines(50), "b.py": of_lines(51)}, 1),
        (
            "private functions used exactly once",
            {"a.py": "def _one(): ...\ndef _two(): ...\ndef __no(): ...\n_one()\n_two()\n_two()\n", "b.py": "x._two()"},
            "1 of 2",
        ),
        (
            "public top-level functions and classes",
            {"a.py": "def f(): ...\nclass C:\n    def g(self): ...\ndef _h(): ..."},
            2,
        ),
        ("names declared in `__all__`", {"a.py": '__all__ = ["x", "y"]\n', "b.py": '__all__: list[str] = ["z"]\n'}, 3),
        (
            "modules loose at the top / not Airflow's convention",
            {"exceptions.py": "", "version_compat.py": "", "loose.py": "", "api/client.py": ""},
            "3 / 1 (loose)",
        ),
        ("modules loose at the top / not Airflow's convention", {"exceptions.py": ""}, "1 / 0"),
        ("modules in the fullest package", {"a/b.py": "", "a/c.py": "", "a/d/e.py": "", "f.py": ""}, "2 (a)"),
        ("modules in the fullest package", {"f.py": ""}, "none"),
        ("`isinstance` on targets", {"a.py": "isinstance(x, (str, Path)) or isinstance(x, m.ObjectTarget)"}, 2),
        ("`isinstance` on targets", {"a.py": "isinstance(x, str)\nPath(x)\nf(x, Path)\n"}, 0),
        (
            "parameters of type `Any` / with `Any` in their type",
            {"a.py": "def f(a: Any, /, b: list[Any], *c: int, d: str, **e: Any) -> Any: ..."},
            "2 / 3",
        ),
        ("uses of `Any`", {"a.py": "from typing import Any\nx: Any = 1\ny: dict[str, Any] = {}\nz = 'Any'\n"}, 2),
        ("`type: ignore`", {"a.py": "x = 1  # type: ignore[assignment]\ny = '# type: ignore'\n"}, 1),
        ("`noqa`", {"a.py": "x = 1  # noqa: S101\n# noqa\ny = '# noqa'\n"}, 2),
        (
            "documented parameters with three words or fewer",
            {
                "a.py": '"""M.\n\nAttributes:\n    x: of the job.\n"""\n'
                'def f():\n    """F.\n\n    Args:\n        a: The ID of the job.\n        b: see\n            there\n\n'
                '    Raises:\n        E: no.\n    """\n'
            },
            "2 of 3",
        ),
        ("share of docstring lines", {"a.py": '"""One."""\nx = 1\ny = 2\nz = "no"\n'}, "25%"),
        ("share of functions with a return type", {"a.py": "def f() -> None: ...\ndef g(): ..."}, "50%"),
    ],
)
def test_each_count_is_right(build, label, files, count):
    assert COUNTS[label](build(files)) == count


IMPORT = "from airflow_provider_veo"
CIRCLES = "import circles between modules", "import circles between rooms"


@pytest.mark.parametrize(
    ("files", "circles"),
    [
        ({"a/b.py": f"{IMPORT}.c import d\n", "c/d.py": ""}, (0, 0)),
        ({"a/b.py": f"{IMPORT}.c import d\n", "c/d.py": f"def f():\n    {IMPORT}.a.b import x\n"}, (1, 1)),
        ({"a/b.py": f"{IMPORT}.c import d\n", "c/d.py": "", "c/e.py": f"{IMPORT}.a.b import x\n"}, (0, 1)),
        ({"a/b.py": "from .c import x\n", "a/c.py": "from . import b\n"}, (1, 0)),
        ({"a.py": "import airflow_provider_veo.b as b\n", "b.py": f"{IMPORT} import a\n"}, (1, 1)),
        ({"a.py": f"{IMPORT} import b", "b.py": f"{IMPORT} import c", "c.py": f"{IMPORT} import a"}, (1, 1)),
        ({"a.py": "import json\nfrom other import a\n"}, (0, 0)),
    ],
)
def test_circles_are_found_between_modules_and_between_rooms(build, files, circles):
    built = build(files)
    assert tuple(COUNTS[label](built) for label in CIRCLES) == circles


def test_arrows_between_rooms_are_counted_once(build):
    built = build(
        {
            "a/b.py": f"{IMPORT} import loose\n{IMPORT}.a import c\n",
            "a/c.py": f"{IMPORT}.loose import x",
            "loose.py": "",
        }
    )
    assert COUNTS["import arrows between rooms / rooms"](built) == "1 / 3"  # the package itself is a room, too


def test_two_imports_of_one_name_are_two_arrows(build):
    built = build({"a.py": f"if x:\n    {IMPORT}.b import c\nelse:\n    {IMPORT}.d import c\n", "b.py": "", "d.py": ""})
    assert built.arrows == {("a", "b"), ("a", "d")}


def test_the_walk_follows_methods_functions_classes_and_renamed_parameters(build):
    walk = house.follow(build(WALKED), *house.WALK)
    assert walk.modules == {"operators.create", "operators.base", "records", "deep"}
    assert walk.calls == 4 + 3 + 1 + 2  # in `execute`, `_order`, `Base._order`; in `publish` and `Run.of`
    assert COUNTS["walk of the create operator's `context`: modules / calls"](build(WALKED)) == "4 / 10"


def test_a_walk_ends_at_the_object_that_takes_the_parameter(build):
    create = (
        f"{IMPORT}.run import Run\n\n"
        "class VeoCreateVideoOperator:\n    def execute(self, context):\n        Run(context)\n"
    )
    built = build({"operators/create.py": create, "run.py": "class Run:\n    context: dict\n"})
    assert house.follow(built, *house.WALK) == house.Walk(frozenset({"operators.create", "run"}), 1)


def test_a_walk_ignores_unpacked_arguments(build):
    create = "class VeoCreateVideoOperator:\n    def execute(self, context):\n        self.run(*context, **context)\n"
    built = build({"create.py": f"{create}\n    def run(self, *args, **kwargs): ...\n"})
    assert house.follow(built, *house.WALK) == house.Walk(frozenset({"create"}), 1)


def test_a_package_without_the_operator_has_no_walk(build):
    assert COUNTS["walk of the create operator's `context`: modules / calls"](build({"a.py": ""})) == "none"


def test_a_class_is_found_through_the_package_that_exports_it(build):
    files = WALKED | {
        "orders/__init__.py": f"{IMPORT}.orders.run import Run\n",
        "orders/run.py": "class Run:\n    @classmethod\n    def of(cls, context): ...\n",
        "operators/create.py": f"{IMPORT}.orders import Run\n\nclass VeoCreateVideoOperator:\n"
        "    def execute(self, context):\n        Run.of(context)\n",
    }
    assert house.follow(build(files), *house.WALK).modules == {"operators.create", "orders.run"}


def test_the_counts_of_two_checkouts_are_columns_of_one_table(build, tmp_path, capsys):
    build({"a.py": ""})
    other = tmp_path / "other" / house.PACKAGE
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    assert house.main([str(tmp_path), "--compare", str(other.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["| count | before | after |", "| --- | ---: | ---: |", "| Python files | 1 | 2 |"]
    assert len(lines) == len(COUNTS) + 2


def test_this_checkout_is_counted_by_default(capsys):
    assert house.main([]) == 0
    assert capsys.readouterr().out.startswith("| count | now |\n")


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="Name the root of a checkout"):
        House.of(tmp_path)
