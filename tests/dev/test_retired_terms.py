"""The search for retired terms: each rule of the table finds its term, and each allowed context lets it pass."""

from __future__ import annotations

import pytest

from dev import retired_terms
from dev.retired_terms import read_table, search, summarize

TERMS = read_table()
RULES = [pytest.param(term, id=term.name) for term in TERMS]
CONTEXTS = [pytest.param(term, allowed, id=allowed.example) for term in TERMS for allowed in term.allowed]
EVERYWHERE = "elsewhere.py"


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def found(root):
    return [str(find) for find in search(root, TERMS)]


@pytest.mark.parametrize("term", RULES)
def test_each_term_is_found_in_its_example(term):
    assert [line for line, _ in term.search(EVERYWHERE, term.example)] == [1]


@pytest.mark.parametrize("term", RULES)
def test_the_replacement_of_a_term_is_not_retired_itself(term):
    assert [other.name for other in TERMS for _ in other.search("docs/page.md", term.instead)] == []


@pytest.mark.parametrize(("term", "allowed"), CONTEXTS)
def test_each_allowed_context_lets_its_example_pass(term, allowed):
    path = allowed.where[0].replace("*", "x", 1)
    assert allowed.is_for(path)
    assert list(term.search(path, allowed.example)) == []


@pytest.mark.parametrize(("term", "allowed"), CONTEXTS)
def test_each_allowed_context_is_needed_and_has_a_reason(term, allowed):
    strict = retired_terms.Term(term.name, term.pattern, term.instead, term.example, allowed=[])
    assert list(strict.search(EVERYWHERE, allowed.example))
    assert len(allowed.reason.split()) > 2


def test_a_context_holds_only_where_it_is_allowed():
    (card,) = (term for term in TERMS if term.name == "card")
    assert list(card.search("airflow_provider_veo/ui/static/style.css", ".card {")) == []
    assert list(card.search("airflow_provider_veo/results.py", ".card {")) == [(1, "card")]


@pytest.mark.parametrize(
    "text",
    [
        "OrderDesk",
        "order_desk",
        "_DESK",
        "the desks",
        "self.desk.order()",
    ],
)
def test_a_term_is_found_in_prose_and_in_identifiers(text):
    (desk,) = (term for term in TERMS if term.name == "desk")
    assert [line for line, _ in desk.search(EVERYWHERE, text)] == [1]


@pytest.mark.parametrize("text", ["a desktop", "helpdesk"])
def test_a_term_is_not_found_within_another_word(text):
    (desk,) = (term for term in TERMS if term.name == "desk")
    assert list(desk.search(EVERYWHERE, text)) == []


@pytest.mark.parametrize(
    "text",
    ["it goes on\nwith", "# it goes on\n    # with it", '"it goes on "\n    f"with it"', "// it goes on\n// with it"],
)
def test_a_phrase_is_found_across_a_line_break(text):
    (phrase,) = (term for term in TERMS if term.name == "go on with")
    assert [line for line, _ in phrase.search(EVERYWHERE, text)] == [1]


@pytest.mark.parametrize(
    "text", ["What happened?", "This is what users see.", "def test_that_what_is_missing_is_null():"]
)
def test_questions_and_clauses_that_are_objects_are_allowed(text):
    (what,) = (term for term in TERMS if term.name == "what or who as a subject")
    assert list(what.search(EVERYWHERE, text)) == []


def test_finds_come_with_path_line_term_and_replacement(tmp_path):
    write(tmp_path, "docs/page.md", "One.\n\nEmpty but for the id, likewise.\n")
    assert found(tmp_path) == [
        "docs/page.md:3: likewise -> the sentence written out, or also",
        "docs/page.md:3: but for -> except for",
    ]


def test_the_name_of_a_file_is_searched_too(tmp_path):
    write(tmp_path, "airflow_provider_veo/triggers/board.py", "")
    assert found(tmp_path) == ["airflow_provider_veo/triggers/board.py:0: board -> progress publisher"]


def test_all_folders_and_the_top_are_searched_but_not_other_kinds_of_files(tmp_path):
    paths = ["README.md", *(f"{folder}/deep/down.py" for folder in retired_terms.FOLDERS)]
    for path in [*paths, "docs/picture.svg", "elsewhere/page.md", "dev/retired_terms.toml"]:
        write(tmp_path, path, "ledger")
    assert sorted(find.path for find in search(tmp_path, TERMS)) == sorted(paths)


def test_the_summary_counts_by_term_and_folder(tmp_path):
    write(tmp_path, "README.md", "ledger")
    write(tmp_path, "docs/page.md", "a ledger, a desk and a ledger")
    assert summarize(search(tmp_path, TERMS)).splitlines() == [
        "| term | docs | top | all |",
        "| --- | ---: | ---: | ---: |",
        "| ledger | 2 | 1 | 3 |",
        "| desk | 1 | 0 | 1 |",
        "| all | 3 | 1 | 4 |",
    ]


@pytest.mark.parametrize(("text", "status"), [("A ledger.", 1), ("A record.", 0)])
@pytest.mark.parametrize("arguments", [[], ["--summary"]])
def test_the_exit_status_says_whether_terms_are_left(tmp_path, capsys, text, status, arguments):
    write(tmp_path, "docs/page.md", text)
    assert retired_terms.main(arguments, tmp_path) == status
    assert ("ledger" in capsys.readouterr().out) == bool(status)
