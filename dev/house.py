"""Count the shape of the package: `python dev/house.py [CHECKOUT] [--compare OTHER]` prints a Markdown table.

Nothing is imported or run: all counts come from the text of the modules and from its syntax tree. With `--compare`,
the first column is OTHER (before) and the second is CHECKOUT (after), by default the one that this file lies in.
"""

from __future__ import annotations

import argparse
import ast
import io
import math
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

PACKAGE = "airflow_provider_veo"
CONVENTIONAL = {"exceptions", "get_provider_info", "testing", "version_compat"}
"""Modules that Airflow's providers have at the top of their package, beside `__init__`."""

TARGETS = {"LocalTarget", "ObjectPlace", "ObjectStoragePath", "ObjectTarget", "Path"}
"""Classes of resolved destinations: an `isinstance` on one of them asks "is it a local file or an object?"."""

WALK = ("VeoCreateVideoOperator", "execute", "context")
"""Class, method and parameter whose way through the package is followed."""

_BLANK = {tokenize.COMMENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.INDENT, tokenize.NEWLINE, tokenize.NL}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One Python file of the package.

    Attributes:
        name: Dotted name within the package, for example `api.client`. A package has the name of its folder, and the
            package itself has the empty name.
        text: The source.
        is_package: Whether the file is an `__init__.py`.
    """

    name: str
    text: str
    is_package: bool

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @property
    def package(self) -> str:
        """The dotted name of the folder that holds the file."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def room(self) -> str:
        """The part of the house: the folder, or the module itself where it lies loose at the top."""
        return self.package or self.name

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def documentation(self) -> set[int]:
        """The line numbers of docstrings, those of attributes included."""
        spans = (node for node in self.nodes if isinstance(node, ast.Expr) and _is_text(node.value))
        return {line for node in spans for line in _span(node)}

    @property
    def code(self) -> int:
        """The number of lines that hold neither only a comment nor documentation, and are not empty."""
        tokens = (token for token in self.tokens if token.type not in _BLANK)
        lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
        return len(lines - self.documentation)

    @cached_property
    def imports(self) -> list[tuple[str, str]]:
        """The names that the module imports from the package, each with its dotted name there."""
        return [pair for node in self.nodes for pair in _imported(node, self)]


@dataclass(frozen=True)
class House:
    """The package of one checkout.

    Attributes:
        modules: The modules by their dotted names.
    """

    modules: Mapping[str, Module]

    @classmethod
    def of(cls, checkout: Path) -> House:
        """Read the package of a checkout.

        Raises:
            SystemExit: The folder has no such package.
        """
        root = checkout / PACKAGE
        if not (root / "__init__.py").is_file():
            raise SystemExit(f"{checkout} has no folder {PACKAGE} with an __init__.py. Name the root of a checkout.")
        modules = {}
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            modules[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
        return cls(modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.modules.values())

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return [node for module in self for node in module.nodes]

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def lengths(self) -> list[int]:
        """The lines of each function, from `def` to its end, the shortest first."""
        return sorted(len(_span(function)) for function in self.functions)

    @cached_property
    def parameters(self) -> list[ast.arg]:
        return [parameter for function in self.functions for parameter in _parameters(function)]

    @cached_property
    def documented(self) -> list[str]:
        """The descriptions of parameters and attributes in all docstrings."""
        owners = (node for node in self.nodes if isinstance(node, ast.Module | Definition))
        return [text for owner in owners for text in _descriptions(ast.get_docstring(owner) or "")]

    @cached_property
    def comments(self) -> list[str]:
        return [token.string for module in self for token in module.tokens if token.type == tokenize.COMMENT]

    @cached_property
    def arrows(self) -> set[tuple[str, str]]:
        """The imports between modules, as pairs: the importing module, and the imported one."""
        found = ((module.name, self.owner(target)) for module in self for _, target in module.imports)
        return {(origin, owner) for origin, owner in found if owner is not None and owner != origin}

    @cached_property
    def room_arrows(self) -> set[tuple[str, str]]:
        """The imports between rooms."""
        pairs = {(self.modules[origin].room, self.modules[owner].room) for origin, owner in self.arrows}
        return {(origin, owner) for origin, owner in pairs if origin != owner}

    def owner(self, target: str) -> str | None:
        """Return the name of the module that a dotted name is, or is in; None if it is in none."""
        if target in self.modules:
            return target
        parent = target.rpartition(".")[0]
        return parent if parent in self.modules else None

    def find(self, target: str) -> tuple[Module, Definition] | None:
        """Return a top-level function or class by its dotted name, through re-exports."""
        parent, _, name = target.rpartition(".")
        module = self.modules.get(parent)
        if module is None:
            return None
        for node in module.tree.body:
            if isinstance(node, Definition) and node.name == name:
                return module, node
        again = dict(module.imports).get(name)
        return self.find(again) if again and again != target else None

    def find_class(self, target: str) -> tuple[Module, ast.ClassDef] | None:
        """Return a top-level class by its dotted name."""
        module, node = self.find(target) or (None, None)
        return (module, node) if module and isinstance(node, ast.ClassDef) else None

    def method(self, module: Module, owner: ast.ClassDef, name: str) -> Place | None:
        """Return a method by its name, looked for in the class and then in its bases of this package."""
        for node in owner.body:
            if isinstance(node, Function) and node.name == name:
                return Place(module, owner, node)
        return self.inherited(module, owner, name)

    def inherited(self, module: Module, owner: ast.ClassDef, name: str) -> Place | None:
        """Return a method of the bases of a class by its name."""
        bases = filter(None, (self.find_class(_dotted(base, module)) for base in owner.bases))
        return next(filter(None, (self.method(*base, name) for base in bases)), None)


@dataclass(frozen=True)
class Place:
    """A function of the package.

    Attributes:
        module: The module that it is written in.
        owner: Its class; None for a plain function.
        function: Its definition; None stands for a class without an `__init__` of its own, such as a dataclass.
    """

    module: Module
    owner: ast.ClassDef | None
    function: Function | None


@dataclass(frozen=True)
class Walk:
    """The way of one parameter through the package.

    Attributes:
        modules: The modules that it comes to.
        calls: The number of calls that pass it on to a function or class of this package.
    """

    modules: frozenset[str]
    calls: int


def count_files(house: House) -> int:
    """Count the Python files."""
    return len(house.modules)


def count_lines(house: House) -> int:
    """Count all lines."""
    return sum(module.lines for module in house)


def count_code(house: House) -> int:
    """Count the lines of code: without docstrings, comments and empty lines."""
    return sum(module.code for module in house)


def count_served_code(house: House) -> int:
    """Count the lines of code without the emulator and the pytest plugin."""
    return sum(module.code for module in house if module.name.partition(".")[0] not in {"emulator", "testing"})


def measure_files(house: House) -> str:
    """Return the lines of the median file and of the largest."""
    lines = [module.lines for module in house]
    return f"{median(lines):g} / {max(lines)}"


def count_functions(house: House) -> int:
    """Count the functions and methods."""
    return len(house.functions)


def measure_functions(house: House) -> str:
    """Return the lines of the function in the middle, and at 90 and 99 of 100."""
    lengths = house.lengths
    shares = (lengths[min(math.floor(len(lengths) * share), len(lengths) - 1)] for share in (0.9, 0.99))
    return " / ".join([f"{median(lengths):g}", *map(str, shares)]) if lengths else "none"


def count_long_functions(house: House) -> int:
    """Count the functions of more than 50 lines."""
    return sum(length > 50 for length in house.lengths)


def count_single_uses(house: House) -> str:
    """Count the private functions that their module names exactly once beside the definition."""
    private = single = 0
    for module in house:
        uses = Counter(_used_names(module))
        names = [node.name for node in module.nodes if isinstance(node, Function) and _is_private(node.name)]
        private += len(names)
        single += sum(uses[name] == 1 for name in names)
    return f"{single} of {private}"


def count_public_definitions(house: House) -> int:
    """Count the top-level functions and classes without an underscore."""
    found = (node for module in house for node in module.tree.body if isinstance(node, Definition))
    return sum(not node.name.startswith("_") for node in found)


def count_declared_names(house: House) -> int:
    """Count the names that modules list in `__all__`."""
    lists = (node for module in house for node in module.tree.body if _assigns(node, "__all__"))
    return sum(_is_text(node) for found in lists for node in ast.walk(found))


def list_loose_modules(house: House) -> str:
    """Count the modules at the top of the package, below `__init__`, and name those that Airflow does not expect."""
    loose = [module.name for module in house if module.name and not module.package]
    unusual = [name for name in loose if name not in CONVENTIONAL]
    return f"{len(loose)} / {len(unusual)}" + (f" ({', '.join(unusual)})" if unusual else "")


def find_fullest_package(house: House) -> str:
    """Return the number of modules in the fullest folder, below the package itself, without its `__init__`."""
    counts = Counter(module.package for module in house if module.package and not module.is_package)
    return "none" if not counts else "{1} ({0})".format(*counts.most_common(1)[0])


def count_module_circles(house: House) -> int:
    """Count the groups of modules that import each other in a circle."""
    return len(_circles(house.arrows))


def count_room_circles(house: House) -> int:
    """Count the groups of rooms that import each other in a circle."""
    return len(_circles(house.room_arrows))


def count_arrows(house: House) -> str:
    """Count the imports between rooms, and the rooms."""
    return f"{len(house.room_arrows)} / {len({module.room for module in house})}"


def measure_walk(house: House) -> str:
    """Count the modules that the context of the create operator comes to, and the calls that pass it on."""
    walk = follow(house, *WALK)
    return f"{len(walk.modules)} / {walk.calls}" if walk.modules else "none"


def count_target_checks(house: House) -> int:
    """Count the `isinstance` calls that ask for a class of targets."""
    checks = (node for node in house.nodes if isinstance(node, ast.Call) and _last_name(node.func) == "isinstance")
    return sum(any(_last_name(part) in TARGETS for part in ast.walk(check.args[1])) for check in checks)


def count_untyped_parameters(house: House) -> str:
    """Count the parameters of type `Any`, and those whose type has `Any` in it."""
    types = [parameter.annotation for parameter in house.parameters if parameter.annotation]
    return f"{sum(map(_is_any, types))} / {sum(any(map(_is_any, ast.walk(type_))) for type_ in types)}"


def count_any(house: House) -> int:
    """Count all uses of `Any`."""
    return sum(map(_is_any, house.nodes))


def count_type_ignores(house: House) -> int:
    """Count the `type: ignore` comments."""
    return sum("type: ignore" in comment for comment in house.comments)


def count_noqas(house: House) -> int:
    """Count the `noqa` comments."""
    return sum("noqa" in comment for comment in house.comments)


def count_terse_descriptions(house: House) -> str:
    """Count the documented parameters and attributes that three words or fewer describe."""
    return f"{sum(len(text.split()) <= 3 for text in house.documented)} of {len(house.documented)}"


def measure_documentation(house: House) -> str:
    """Return the share of docstrings in all lines."""
    return _percent(sum(len(module.documentation) for module in house), count_lines(house))


def measure_return_types(house: House) -> str:
    """Return the share of functions that declare their return type."""
    return _percent(sum(function.returns is not None for function in house.functions), len(house.functions))


COUNTS: Mapping[str, Callable[[House], int | str]] = {
    "Python files": count_files,
    "lines": count_lines,
    "lines of code": count_code,
    "lines of code without emulator and pytest plugin": count_served_code,
    "lines of a file: median / largest": measure_files,
    "functions": count_functions,
    "lines of a function: median / p90 / p99": measure_functions,
    "functions over 50 lines": count_long_functions,
    "private functions used exactly once": count_single_uses,
    "public top-level functions and classes": count_public_definitions,
    "names declared in `__all__`": count_declared_names,
    "modules loose at the top / not Airflow's convention": list_loose_modules,
    "modules in the fullest package": find_fullest_package,
    "import circles between modules": count_module_circles,
    "import circles between rooms": count_room_circles,
    "import arrows between rooms / rooms": count_arrows,
    "walk of the create operator's `context`: modules / calls": measure_walk,
    "`isinstance` on targets": count_target_checks,
    "parameters of type `Any` / with `Any` in their type": count_untyped_parameters,
    "uses of `Any`": count_any,
    "`type: ignore`": count_type_ignores,
    "`noqa`": count_noqas,
    "documented parameters with three words or fewer": count_terse_descriptions,
    "share of docstring lines": measure_documentation,
    "share of functions with a return type": measure_return_types,
}
"""The rows of the table: a room is a folder of the package, or a module that lies loose at its top."""


def follow(house: House, class_name: str, method: str, parameter: str) -> Walk:
    """Follow a parameter through the package: from call to call that passes it on as an argument."""
    starts = [
        Place(module, node, function)
        for module in house
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and node.name == class_name
        for function in node.body
        if isinstance(function, Function) and function.name == method
    ]
    todo = [(place, parameter) for place in starts]
    seen, calls = set(todo), 0
    for place, name in todo:  # grows while it is read
        for call in ast.walk(place.function) if place.function else ():
            if isinstance(call, ast.Call) and _passes(call, name) and (callee := _callee(house, place, call)):
                calls += 1
                step = (callee, _parameter_for(callee, call, name))
                if step not in seen:
                    seen.add(step)
                    todo.append(step)
    return Walk(frozenset(place.module.name for place, _ in seen), calls)


def _callee(house: House, place: Place, call: ast.Call) -> Place | None:
    """Return the function of this package that a call made at a place goes to; None for any other function."""
    module, owner, function = place.module, place.owner, call.func
    if isinstance(function, ast.Attribute):
        if owner and ast.unparse(function.value) == "self":
            return house.method(module, owner, function.attr)
        if owner and ast.unparse(function.value) == "super()":
            return house.inherited(module, owner, function.attr)
        if named := house.find_class(_dotted(function.value, module)):
            return house.method(*named, function.attr)
    target = _dotted(function, module)
    if made := house.find_class(target):
        return house.method(*made, "__init__") or Place(*made, None)
    found, node = house.find(target) or (None, None)
    return Place(found, None, node) if found and isinstance(node, Function) else None


def _parameter_for(place: Place, call: ast.Call, name: str) -> str:
    """Return the parameter under which a function gets the argument `name` of a call."""
    if place.function:
        positional = [*place.function.args.posonlyargs, *place.function.args.args]
        decorators = {_last_name(decorator) for decorator in place.function.decorator_list}
        if place.owner and "staticmethod" not in decorators:
            positional = positional[1:]
        for parameter, argument in zip(positional, call.args, strict=False):
            if _is_name(argument, name):
                return parameter.arg
    return next((keyword.arg for keyword in call.keywords if keyword.arg and _is_name(keyword.value, name)), name)


def _passes(call: ast.Call, name: str) -> bool:
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(_is_name(value, name) for value in values)


def _imported(node: ast.AST, module: Module) -> Iterator[tuple[str, str]]:
    """Yield the names that a statement imports from this package, and the dotted names that they stand for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == PACKAGE:
                yield alias.asname or alias.name, alias.name[len(PACKAGE) + 1 :]
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            parts = module.package.split(".") if module.package else []
            origin = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
        elif (node.module or "").split(".")[0] == PACKAGE:
            origin = (node.module or "")[len(PACKAGE) + 1 :]
        else:
            return
        for alias in node.names:
            yield alias.asname or alias.name, f"{origin}.{alias.name}" if origin else alias.name


def _dotted(node: ast.AST, module: Module) -> str:
    """Return the dotted name, within the package, of an expression like `records.publish` or `publish`."""
    if not isinstance(node, ast.Name | ast.Attribute):
        return ""
    first, _, rest = ast.unparse(node).partition(".")
    start = dict(module.imports).get(first) or (f"{module.name}.{first}" if module.name else first)
    return f"{start}.{rest}" if rest else start


def _circles(arrows: set[tuple[str, str]]) -> set[frozenset[str]]:
    """Return the groups of two and more that all lead to each other."""
    reach: dict[str, set[str]] = {}
    for origin, target in arrows:
        reach.setdefault(origin, set()).add(target)
    for middle, beyond in reach.items():
        for targets in reach.values():
            if middle in targets:
                targets.update(beyond)
    in_circles = {name for name, targets in reach.items() if name in targets}
    return {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in in_circles}


def _descriptions(docstring: str) -> Iterator[str]:
    """Yield the descriptions in the sections Args and Attributes."""
    for section in re.findall(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)*)", docstring, re.MULTILINE):
        for entry in re.split(r"^    (?=\S)", section, flags=re.MULTILINE)[1:]:
            yield entry.partition(":")[2]


def _used_names(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            yield _last_name(node)


def _parameters(function: Function) -> list[ast.arg]:
    found = function.args
    return [*found.posonlyargs, *found.args, *found.kwonlyargs, *filter(None, (found.vararg, found.kwarg))]


def _assigns(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(target and _is_name(target, name) for target in targets)


def _last_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_any(node: ast.AST) -> bool:
    return _is_name(node, "Any")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _span(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def table(columns: Mapping[str, House]) -> str:
    """Return the Markdown table of all counts, with a column for each house."""
    lines = [["count", *columns], ["---", *["---:"] * len(columns)]]
    lines += [[label, *(str(count(house)) for house in columns.values())] for label, count in COUNTS.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("checkout", nargs="?", type=Path, default=here, help="folder that holds the package")
    parser.add_argument("--compare", type=Path, metavar="OTHER", help="folder that holds the package as it was before")
    options = parser.parse_args(arguments)
    house = House.of(options.checkout)
    print(table({"before": House.of(options.compare), "after": house} if options.compare else {"now": house}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
