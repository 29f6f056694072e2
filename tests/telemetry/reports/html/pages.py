"""Pages for the tests of the HTML report: read element by element, and planted with scripts."""

import re
from html.parser import HTMLParser
from typing import Any

import msgspec

from telemetry.reports.findings import Investigation
from telemetry.reports.html import page
from tests.telemetry.reports import sample

SAMPLES = ("incident", "incomplete", "death", "healthy", "running", "hostile")
# Each would leave a mark in the page that a test looks for, if it ran.
PLANTS = (
    "<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "</style></script></title><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "' onmouseover='window.pwned=1' style='color:red",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "\ud83d \x00\x1b[31m\u202e",
)
_CLOSED = {"ruled out", "confirmed", "not decidable"}


class Read(HTMLParser):
    """What a page is made of: its elements, their attributes, and the text of each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down an element that begins."""
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down an element without content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """See that what ends is what began last: the page is whole."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Add text to that of the element around it."""
        where = self._open[-1] if self._open else ""
        self.texts[where] = self.texts.get(where, "") + data

    def attributes(self, tag: str, name: str) -> list[str]:
        """Return an attribute of each element of a kind."""
        return [given[name] or "" for one, given in self.elements if one == tag and name in given]


def rendered(name: str) -> str:
    """Return the page of a sample."""
    found: Investigation = getattr(sample, name)()
    return page(found)


def plain(text: str) -> str:
    """Return a page without its markup, each run of white space one space."""
    body = text.partition("<body>")[2].partition("<script>")[0]
    without = re.sub(r"<[^>]*>", "", body.replace("<wbr/>", "").replace("</", " </"))
    for entity, char in (("&#x27;", "'"), ("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">")):
        without = without.replace(entity, char)
    return re.sub(r"\s+", " ", without.replace("&amp;", "&"))


def planted() -> Investigation:
    """Return the incident with a script, or what would be one, at the begin of every text."""
    raw = _planted(msgspec.to_builtins(sample.incident()), iter(range(10**9)))
    return msgspec.convert(raw, Investigation)


def _planted(value: Any, count: Any) -> Any:
    match value:
        case str() if value not in _CLOSED:
            return PLANTS[next(count) % len(PLANTS)] + value
        case list():
            return [_planted(one, count) for one in value]
        case dict() if "file" in value or "asked" in value or "begun" in value:
            return {key: _planted(one, count) for key, one in value.items()}
        case dict():
            return {_key(key, count): _planted(one, count) for key, one in value.items()}
    return value


def _key(key: str, count: Any) -> str:
    """Plant a name that a record holds; the names of our own fields must stay."""
    ours = {name for kind in _kinds() for name in kind.__struct_fields__}
    return key if key in ours else PLANTS[next(count) % len(PLANTS)] + key


def _kinds() -> list[type[msgspec.Struct]]:
    from telemetry.reports import findings, headway, moments

    return [
        kind
        for module in (findings, headway, moments)
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind is not msgspec.Struct
    ]
