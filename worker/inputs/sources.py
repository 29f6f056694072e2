"""What an input is named by: a path or a URL, and how messages show it."""

import re

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")


def scheme_of(source: str) -> str:
    """Return the scheme of a URL in lower case, or "" for a path."""
    match = _SCHEME.match(source)
    return match.group().lower() if match else ""


def shown(source: str) -> str:
    """Return the source as messages name it: a URL without its user and the text of its query.

    Both may hold a secret: a signed URL carries its token in the query.
    """
    if not scheme_of(source):
        return source
    head, _, query = source.partition("?")
    scheme, _, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?…' if query else ''}"
