"""Builds HTML out of text that is escaped where it enters: what is not `Html` cannot be markup."""

import re
from collections.abc import Iterable
from html import escape
from typing import Final

from telemetry.reports.wording import cut, printable

_VOID: Final = frozenset({"input", "link", "meta", "rect", "line", "circle", "polyline", "path"})
# Not before a semicolon, which would be the end of an escaped character.
_BREAKS: Final = re.compile(r"(?<=\w)([/_])(?=\w)")
_SCHEMES: Final = ("http://", "https://")
# No text between tags, whoever wrote it, takes up more of a page than this.
_LONGEST: Final = 1200


class Html(str):
    """A text that is markup already."""

    __slots__ = ()


Content = str | int | None | Iterable["Content"]
Attribute = str | int | float | bool | None


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """Return an element.

    Args:
        name: The element's name.
        content: What is in it: markup as it is, text escaped, None left out.
        attributes: `class_` is class, `aria_label` is aria-label; True has no value, None and
            False are left out.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID and not content:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{join(content)}</{name}>")


def join(content: Iterable[Content]) -> Html:
    """Return the contents as one piece of markup."""
    return Html("".join(map(_markup, content)))


def link(address: str, text: str) -> Html:
    """Return a link to a page on the web; an address of any other scheme stays text."""
    if not address.lower().startswith(_SCHEMES) or len(address) > _LONGEST:
        return tag("code", address)
    return tag("a", text, href=address, rel="noopener noreferrer")


def breakable(text: str) -> Html:
    """Return a text that may be broken within paths and names, after a slash or an underscore."""
    return Html(_BREAKS.sub(r"\1<wbr/>", _escaped(text)))


def _markup(content: Content) -> str:
    match content:
        case None:
            return ""
        case Html():
            return content
        case str():
            return _escaped(content)
        case int():
            return str(content)
    return join(content)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    written = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(printable(written))}"'


def _escaped(text: str) -> str:
    return escape(printable(cut(text, _LONGEST)))
