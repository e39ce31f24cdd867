"""The README: its examples run, its two commands are Make targets, its links exist."""

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_examples_run() -> None:
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_first_commands_are_targets() -> None:
    block = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert block is not None
    commands = [line.split("#")[0].split() for line in block[1].strip().splitlines()]
    assert commands == [["make", "generate"], ["make", "test"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for _, target in commands)


def test_links_exist() -> None:
    found = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", README)
    links = [link or source for link, source in found if "://" not in link]
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
