"""What an input is named by: a path or a URL, and how messages show it."""

import re
from urllib.parse import unquote, urlsplit

from worker.errors import InputError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
# A host, an address in brackets or a name, and its port; the user before it is taken off.
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")


def scheme_of(source: str) -> str:
    """Return the scheme of a URL in lower case, or "" for a path."""
    match = _SCHEME.match(source)
    return match.group().lower() if match else ""


def is_below(source: str, base: str) -> bool:
    """Whether a URL is of the same server as another, below its path, with no way out of that."""
    try:
        asked, ours = urlsplit(source), urlsplit(base)
    except ValueError:
        return False
    path, folder = unquote(asked.path), f"{unquote(ours.path).rstrip('/')}/"
    same = (asked.scheme.lower(), asked.netloc.lower()) == (ours.scheme, ours.netloc.lower())
    return same and path.startswith(folder) and not {".", ".."} & set(path.split("/"))


def shown(source: str) -> str:
    """Return the source as messages name it: a URL without its user and the text of its query.

    Both may hold a secret: a signed URL carries its token in the query. So may the fragment.
    """
    if not scheme_of(source):
        return source
    head, _, query = source.partition("#")[0].partition("?")
    scheme, _, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    if not _HOST.fullmatch(host):  # a password with a / or ? in it: where it ends, nothing says
        return f"{scheme}://…"
    return f"{scheme}://{host}{slash}{path}{'?…' if query else ''}"


def input_error(source: str, problem: str, *, retryable: bool = False) -> InputError:
    """Make the error that names a source without its secrets."""
    error = InputError(shown(source), problem)
    error.retryable = retryable
    return error
