"""Find words that this project has retired, in its code, tests and texts. `make lint` runs this.

The table `retired_terms.toml` says which words, what to write instead, and where they may stay. Each find is printed as
`path:line: term -> replacement`; line 0 is the name of the file itself. With `--summary`, the finds are counted.
The exit status is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".toml")
FOLDERS = (".github", "airflow_provider_veo", "benchmarks", "dev", "docs", "example_dags", "tests")
SUFFIXES = {".css", ".html", ".js", ".json", ".md", ".py", ".toml", ".yml"}
NOT_SEARCHED = ("dev/retired_terms.toml", "tests/dev/test_retired_terms.py", "tests/wire/*")
"""Files that must name the terms, and recorded texts of servers and official clients."""

_WORD_ENDS = re.compile(r"_|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Places in an identifier where a word ends, as in `CamelCase` and `snake_case`."""

_GAP = r"""\s*["'`]*\s+(?:(?:\#|//|\*|>)\s*)?f?["'`]*"""
"""Space between two words of a term: also a line break within a comment, a quotation or joined strings."""


@dataclass(frozen=True)
class Allowed:
    """A context in which a term may stay.

    Attributes:
        passage: Regular expression, case-sensitive, of the text around the term. It takes no part in the search.
        where: Patterns of the paths for which this holds.
        reason: Why the term may stay.
        example: A text that holds the passage.
    """

    passage: re.Pattern[str]
    where: Sequence[str]
    reason: str
    example: str

    def is_for(self, path: str) -> bool:
        """Say whether this holds in a file."""
        return any(fnmatchcase(path, pattern) for pattern in self.where)


@dataclass(frozen=True)
class Term:
    """A word or phrase that is not used any more.

    Attributes:
        name: The heading under which it is counted.
        pattern: Regular expression, regardless of case. A space in it also stands for a line break or an underscore.
        instead: The term to write.
        example: A text that is found.
        allowed: The contexts in which it may stay.
    """

    name: str
    pattern: re.Pattern[str]
    instead: str
    example: str
    allowed: Sequence[Allowed]

    def search(self, path: str, text: str) -> Iterator[tuple[int, str]]:
        """Yield the line of each find in a text, counted from 1, and the words found."""
        for allowed in self.allowed:
            if allowed.is_for(path):
                text = allowed.passage.sub(_blank, text)
        text = _WORD_ENDS.sub(" ", text)
        for found in self.pattern.finditer(text):
            yield text.count("\n", 0, found.start()) + 1, " ".join(found[0].split())


@dataclass(frozen=True)
class Find:
    """A retired term in a file.

    Attributes:
        path: The file, from the root.
        line: The line, counted from 1; 0 for the name of the file.
        words: The words as they stand there.
        term: The term that they are.
    """

    path: str
    line: int
    words: str
    term: Term

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words} -> {self.term.instead}"

    @property
    def folder(self) -> str:
        return self.path.partition("/")[0] if "/" in self.path else "top"


def read_table(table: Path = TABLE) -> list[Term]:
    """Read the terms."""
    return [_term(**row) for row in tomllib.loads(table.read_text(encoding="utf-8"))["term"]]


def _term(*, name: str, pattern: str, instead: str, example: str, allowed: Iterable[Mapping[str, Any]] = ()) -> Term:
    compiled = re.compile(rf"\b(?:{pattern.replace(' ', _GAP)})\b", re.IGNORECASE | re.MULTILINE)
    return Term(name, compiled, instead, example, [_allowed(**row) for row in allowed])


def _allowed(*, passage: str, reason: str, example: str, where: Sequence[str] = ("*",)) -> Allowed:
    return Allowed(re.compile(passage, re.MULTILINE), where, reason, example)


def _blank(passage: re.Match[str]) -> str:
    return "\N{MIDDLE DOT}" + "\n" * passage[0].count("\n")


def list_files(root: Path) -> list[str]:
    """Return the paths, from the root, of all files that are searched."""
    below = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
    paths = (path for path in [*root.glob("*"), *below] if path.suffix in SUFFIXES or path.name == "Makefile")
    names = {path.relative_to(root).as_posix() for path in paths if path.is_file()}
    return sorted(name for name in names if not any(fnmatchcase(name, pattern) for pattern in NOT_SEARCHED))


def search(root: Path, terms: Iterable[Term]) -> Iterator[Find]:
    """Yield what is left of the terms, by path and line."""
    for path in list_files(root):
        text = f"{path}\n{(root / path).read_text(encoding='utf-8')}"
        finds = (Find(path, line - 1, words, term) for term in terms for line, words in term.search(path, text))
        yield from sorted(finds, key=lambda find: find.line)


def summarize(finds: Iterable[Find]) -> str:
    """Return a Markdown table of the number of finds by term and folder."""
    counts = Counter((find.term.name, find.folder) for find in finds)
    folders = sorted({folder for _, folder in counts})
    rows = {name: [counts[name, folder] for folder in folders] for name, _ in counts}
    rows = dict(sorted(rows.items(), key=lambda row: -sum(row[1])))
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = [["term", *folders, "all"], ["---", *["---:"] * (len(folders) + 1)]]
    lines += [[name, *map(str, [*row, sum(row)])] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Print the finds and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summary", action="store_true", help="print the number of finds by term and folder only")
    options = parser.parse_args(arguments)
    finds = list(search(root, read_table()))
    if options.summary:
        print(summarize(finds))
    else:
        print(*finds, sep="\n", end="\n" if finds else "")
    return int(bool(finds))


if __name__ == "__main__":
    sys.exit(main())
