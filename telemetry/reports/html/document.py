"""The shell of a page: one file that fetches nothing and runs nothing but its own script."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from telemetry.reports.html.markup import Content, Html, tag

_STYLE: Final = "report.css"
_SCRIPT: Final = "report.js"


def document(title: str, *body: Content) -> str:
    """Return a whole page as text that can be written as UTF-8.

    Its policy lets the browser take this style and this script and nothing else: whatever a
    record may hold, it is neither run nor fetched.
    """
    style, script = _asset(_STYLE), _asset(_SCRIPT)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="robots", content="noindex"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(style)),
    )
    page = tag("html", head, tag("body", *body, tag("script", Html(script))), lang="en")
    return f"<!doctype html>\n{page}\n"


@cache
def _asset(name: str) -> str:
    return (files("telemetry.reports.html") / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
