"""The Chinese pages have the same headings, code, tables and links as the English ones."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, blocks, headings

PAIRS = [("README.md", "README.zh-CN.md"), ("docs/quickstart.md", "docs/quickstart.zh-CN.md")]
in_both = pytest.mark.parametrize(("english", "chinese"), PAIRS)

HEADINGS = {
    "airflow-provider-veo": "airflow-provider-veo",
    "Two commands": "两条命令",
    "A Dag in ten lines": "十行代码的 Dag",
    "Install and connect": "安装与连接",
    "Operators": "算子",
    "Examples": "示例",
    "Where to get video today": "今天在哪里能得到视频",
    "Reliability": "可靠性",
    "Documentation": "文档",
    "Quickstart": "快速上手",
    "Install": "安装",
    "Write a Dag": "写一个 Dag",
    "Test it": "测试它",
    "Run it": "运行它",
    "Use a real service": "使用真实的服务",
}


@in_both
def test_the_chinese_pages_have_the_same_headings(english, chinese):
    expected = [(tag, HEADINGS.get(text)) for tag, text in headings(ROOT / english)]
    assert headings(ROOT / chinese) == expected


@in_both
def test_the_chinese_pages_have_the_same_code(english, chinese):
    def code(page):
        # comments behind code are in the page's language
        return [(block.language, re.sub(r"  # .*", "", block.text)) for block in blocks(ROOT / page)]

    assert code(chinese) == code(english)


@in_both
def test_the_chinese_tables_have_the_same_rows(english, chinese):
    def rows(page):
        """Return the code and the links in the first cells, which are not translated."""
        lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
        cells = [line.split("|")[1].replace(".zh-CN", "") for line in lines if line.startswith("|")]
        return [re.findall(r"`[^`]+`|\(docs/[^)]+\)", cell) for cell in cells]

    assert rows(chinese) == rows(english)


@in_both
def test_the_chinese_pages_have_the_same_links(english, chinese):
    def links(page):
        found = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
        return sorted(link.replace(".zh-CN", "") for link in found)

    assert links(chinese) == links(english)
