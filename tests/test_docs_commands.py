"""The commands that the pages show are ones that the command line takes."""

from __future__ import annotations

import re
import shlex

import pytest
from small_project import ROOT

from mtinet.cli.main import build_parser

PAGES = ("README.md", "docs/predicting.md", "docs/extending.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_taken(page: str) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines() if line.startswith("mtinet ")]
    assert commands
    for line in commands:
        words = shlex.split(line, comments=True)
        given = build_parser().parse_args(words[1:])
        assert given.main.__module__.startswith("mtinet.cli.")
