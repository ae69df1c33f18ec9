"""Pages for readers, which hosts send instead of a file: what they say, and Google Drive's form that leads on."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import requests

LONGEST = 100_000  # bytes of a page that are looked at


def is_page(response: requests.Response) -> bool:
    """Whether the answer is HTML for a reader and not a file."""
    named = "attachment" in response.headers.get("Content-Disposition", "")
    return not named and response.headers.get("Content-Type", "").startswith("text/html")


def words(text: str) -> str:
    """What a reader sees first of a page."""
    seen = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", text[: LONGEST // 5], flags=re.DOTALL)
    return " ".join(seen.split())[:200]


class ConfirmForm(HTMLParser):
    """Action and fields of the form with which Google Drive lets one download a file it did not scan."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and "download" in given.get("id", "") + given.get("action", ""):
            self.action, self.inside = given.get("action", ""), True
        elif tag == "input" and self.inside and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"
