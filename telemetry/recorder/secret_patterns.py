"""The forms of secrets, as data, with an example of each.

Each is linear in a text's length: what a match has to look at is bounded, is consumed by it, or
ends where the next match could begin.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from telemetry.recorder.assignments import REDACTED

LONG_WORD: Final = 20
Replacement: TypeAlias = str | Callable[[re.Match[str]], str]


class Pattern(NamedTuple):
    """A form of secret.

    `example` contains one secret, `secret`, that must vanish. No replacement changes the number of
    lines. A text is searched for a pattern only where these say that it may be there:

    Attributes:
        hints: Lower-case texts, of which at least one is in every match.
        long: Every match lies in a word, without white space, of at least `LONG_WORD` characters.
        sign: Every match has an equals sign, a colon or a percent sign.
    """

    name: str
    hints: tuple[str, ...]
    regex: re.Pattern[str]
    replacement: Replacement
    example: str
    secret: str
    long: bool = False
    sign: bool = False


def _pattern(
    name: str,
    hints: tuple[str, ...],
    regex: str,
    replacement: Replacement,
    *example: str,
    long: bool = False,
    sign: bool = False,
) -> Pattern:
    text, secret = example
    return Pattern(name, hints, re.compile(regex), replacement, text, secret, long, sign)


def _lines_kept(match: re.Match[str]) -> str:
    return REDACTED + "\n" * match.group().count("\n")


def _key_lines_kept(match: re.Match[str]) -> str:
    return _lines_kept(match) if match["end"] else match.group()


def _password_of(match: re.Match[str]) -> str:
    """Hide what is between a user and the last @; without one, what may be half a password."""
    password, at, host = match["rest"].rpartition("@")
    if at:
        return f"{match['user']}{REDACTED}@{host}"
    cut = match.end() == len(match.string) and not _PORT.match(match["rest"])
    return f"{match['user']}{REDACTED}" if cut and password + host else match.group()


_QUOTE: Final = r"\\{0,4}[\"']"  # in JSON within JSON, and in the repr of that, it is escaped
_KEY_LINE: Final = r"[ \t\"']*[A-Za-z0-9+/]{60,76}={0,2}(?:\\n)?[\"',]*[ \t]*"
_PORT: Final = re.compile(r"\d{0,5}(?:[/?#]|\Z)")
_ARMOUR: Final = r"(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"

_DATABASES: Final = ("postgres", "postgresql", "mysql", "mariadb", "redis", "rediss", "mongodb")
_DRIVERS: Final = ("+srv", "+asyncpg", "+psycopg", "+psycopg2", "amqp", "amqps")


def _of_scheme(*schemes: str) -> str:
    """Match `://` after a scheme. So it begins with a fixed text, which is found quickly."""
    return f"://(?:{'|'.join(f'(?<={re.escape(scheme)}://)' for scheme in schemes)})"


PATTERNS: Final = (
    _pattern(
        "private key",
        ("-----begin",),
        rf"-----BEGIN {_ARMOUR}[\s\S]*?(?:-----END {_ARMOUR}|\Z)",
        _lines_kept,
        "key: -----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----",
        "MIIEabc",
    ),
    _pattern(
        "end of a private key",
        ("-----end",),
        rf"(?m)(?:^[ \t\"']*+[A-Za-z0-9+/=]{{4,76}}+(?:\\n)?[\"',]*+[ \t]*+\n)++"
        rf"(?P<end>.*?-----END {_ARMOUR})?",
        _key_lines_kept,
        "KEY = (\nx9hKQ81b\n-----END PRIVATE KEY-----",
        "x9hKQ81b",
    ),
    _pattern(
        "middle of a private key",
        ("\n",),
        rf"(?m)^{_KEY_LINE}(?:\n{_KEY_LINE})+$",
        _lines_kept,
        f"KEY = (\n'{'MIIEvQIBADANBgkqhkiG9w0B' * 3}'\n'{'AQEFAASCBKcwggSjAgEAAoIB' * 3}'\n",
        "AQEFAASCBKcwggSjAgEAAoIB",
    ),
    _pattern(
        "Supabase key",
        ("sb_secret_", "sb_publishable_"),
        r"\bsb_(secret|publishable)_[A-Za-z0-9_-]{10,}",
        rf"sb_\1_{REDACTED}",
        "using sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz",
        "N7UND0UgjKTVK",
        long=True,
    ),
    _pattern(
        "JSON web token",
        ("eyj",),
        r"\beyJ[A-Za-z0-9_-]{9,}\.[A-Za-z0-9_-]{7,}(?:\.[A-Za-z0-9_-]*)*",
        REDACTED,
        "key eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl failed",
        "eyJyb2xlIjoiYW5vbiJ9",
        long=True,
    ),
    _pattern(
        "bearer token",
        ("bearer",),
        # A short one has a digit: what walks past a bearer has none.
        r"(?i)\b(bearer(?:\s+|%20|\+))"
        r"(?:(?=[a-z._~+/=-]*[0-9])[a-z0-9._~+/=-]{6,}|[a-z0-9._~+/=-]{16,})",
        rf"\1{REDACTED}",
        "sent Bearer abc123def456ghi",
        "abc123def456ghi",
    ),
    _pattern(
        "authorization header",
        ("authorization",),
        rf"(?i)(authorization(?:{_QUOTE})?\s*[:=]\s*(?:{_QUOTE})?)(?!\[redacted)"
        r"(?:[a-z][a-z0-9-]*\s+)?[^\s\"'\\,;]+",
        rf"\1{REDACTED}",
        "Authorization: Basic dXNlcjpwYXNz",
        "dXNlcjpwYXNz",
        sign=True,
    ),
    _pattern(
        "cookie header",
        ("cookie",),
        rf"(?i)(cookie(?:{_QUOTE})?\s{{0,8}}[:=]\s{{0,8}}(?:{_QUOTE})?)"
        r"(?=[^\"'\r\n=]{1,256}=)[^\"'\\\r\n]{3,}",
        rf"\1{REDACTED}",
        "Cookie: theme=dark; sb-access-token=f00dcafe",
        "f00dcafe",
        sign=True,
    ),
    _pattern(
        "signed URL",
        ("=", "%3d"),
        r"(?i)((?:[?&#;]|%3f|%26|\\u0026)(?:[a-z]*_?token|sig|signature|hmac|hm|key|code|jwt"
        r"|api[_-]?key|auth|password|(?:client_)?secret|session"
        r"|x-(?:amz|goog|oss|tos)-(?:signature|credential|security-token)|q-signature"
        r"|googleaccessid|(?:aws|oss)accesskeyid|policy|key-pair-id)(?:=|%3d))[^&\s\"'\\<>#]+",
        rf"\1{REDACTED}",
        "GET https://h.example/o.mp4?t=1&X-Amz-Signature=9f8e7d6c&x=2",
        "9f8e7d6c",
        sign=True,
    ),
    _pattern(
        "signature",
        ("signature",),
        rf"(?i)(signature(?:{_QUOTE})?\s?[=:]\s?(?:{_QUOTE})?)[a-z0-9+/%=_-]{{20,}}",
        rf"\1{REDACTED}",
        "SignedHeaders=host, Signature=5d672d79c15b13162d9279b0855cfba6",
        "5d672d79c15b13162d9279b0855cfba6",
        sign=True,
    ),
    _pattern(
        "password in a database's URL",
        ("://",),
        rf"(?i)(?P<user>{_of_scheme(*_DATABASES, *_DRIVERS)}[^\s/:@?#\"'\[]*+:)"
        r"(?!\[redacted)(?P<rest>[^\s\"'<>]*+)",
        _password_of,
        "postgresql://postgres:hunter/2@db.example:5432/postgres",
        "hunter/2",
        sign=True,
    ),
    _pattern(
        "password in a URL",
        ("://",),
        r"(?P<user>://[^\s/:@?#\"'\[]*+:)(?!\[redacted)(?P<rest>(?:[^\s/:\"'<>]|:(?!//))*+)",
        _password_of,
        "ftp://render:hunter@2@files.example/in",
        "hunter@2",
        sign=True,
    ),
    _pattern(
        "DSN",
        ("://",),
        rf"(?i)({_of_scheme('http', 'https')})[^\s/:@?#\"']+@",
        rf"\1{REDACTED}@",
        "https://4f3e2d1c0b@o1.ingest.example/42",
        "4f3e2d1c0b",
        sign=True,
    ),
    _pattern(
        "webhook",
        ("hooks.slack.com", "/webhooks/", "/webhookb2/", "api.telegram.org"),
        r"(?i)(hooks\.slack\.com/[a-z]+/|/api/webhooks/|/webhookb2/|telegram\.org/(?:file/)?bot)"
        r"[^\s\"'\\<>?]+",
        rf"\1{REDACTED}",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "XXXXXXXXXXXXXXXXXXXXXXXX",
        long=True,
    ),
    _pattern(
        "AWS key",
        ("akia", "asia"),
        r"\b(?:AKIA|ASIA)(?:[A-Z0-9]{16}\b|[A-Z0-9]{6,15}\Z)",
        REDACTED,
        "id AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE",
        long=True,
    ),
    _pattern(
        "token of a code or model hub",
        ("hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-"),
        r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
        r"|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{20,})",
        REDACTED,
        "logged in with hf_abcdefghijklmnopqrstuvwxyz",
        "abcdefghijklmnopqrstuvwxyz",
        long=True,
    ),
    _pattern(
        "key of a service",
        ("sk-", "sk_", "rk_", "sbp_", "xox", "r8_", "rpa_", "aiza", "ya29.", "whsec_", "sg."),
        r"\b(?:sk-[A-Za-z0-9_-]{20,}|(?:[sr]k_(?:live|test)|gsk|sbp|r8|rpa)_[A-Za-z0-9_]{16,}"
        r"|xox[a-z]-[A-Za-z0-9-]{15,}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_.-]{20,}"
        r"|whsec_[A-Za-z0-9+/=]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})",
        REDACTED,
        "OpenAI said no to sk-proj-a1b2c3d4e5f6g7h8i9j0",
        "a1b2c3d4e5f6g7h8i9j0",
        long=True,
    ),
    _pattern(
        "user on a command line",
        ("-u", "login"),
        rf"(?i)(?<![\w-])((?:-u|--user|--proxy-user)(?:{_QUOTE})?(?:\s*,\s*|\s+|=)(?:{_QUOTE})?"
        r"[^\s:\"'/,=]+:|login\s+\S+\s+password\s+)(?!\[redacted)[^\s\"'\\]+",
        rf"\1{REDACTED}",
        "curl -sS -u worker:0pen5esame https://h.example",
        "0pen5esame",
    ),
    _pattern(
        "password flag of a program",
        ("sshpass", "mysql", "mariadb"),
        r"\b((?:sshpass|mysql\w*|mariadb\w*)(?:\s+[^\s]+){0,8}?\s+-p\s?)(?![\s\[-])\S+",
        rf"\1{REDACTED}",
        "mysql -u loop -h db.example -p0pen5esame tasks",
        "0pen5esame",
    ),
)
