"""What must not be written: secrets by their form or their key, and prompts when so asked."""

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

REDACTED: Final = "[redacted]"
PROMPT_HIDDEN: Final = "[prompt hidden]"


class Pattern(NamedTuple):
    """A form of secret.

    `hints` are lower-case texts of which at least one is in every match, so that a text without
    them costs no search. `example` contains one secret, `secret`, that must vanish.
    """

    name: str
    hints: tuple[str, ...]
    regex: re.Pattern[str]
    replacement: str
    example: str
    secret: str


def _pattern(
    name: str, hints: tuple[str, ...], regex: str, replacement: str, example: str, secret: str
) -> Pattern:
    return Pattern(name, hints, re.compile(regex), replacement, example, secret)


_KEY_WORDS: Final = (
    r"passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|service_?role_?key"
    r"|anon_?key|secret_?key|signing_?key|encryption_?key|authorization|cookie|credentials?|dsn|jwt"
)

PATTERNS: Final = (
    _pattern(
        "private key",
        ("-----begin",),
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
        REDACTED,
        "key: -----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----",
        "MIIEabc",
    ),
    _pattern(
        "Supabase key",
        ("sb_secret_", "sb_publishable_"),
        r"\bsb_(secret|publishable)_[A-Za-z0-9_-]+",
        rf"sb_\1_{REDACTED}",
        "using sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz",
        "N7UND0UgjKTVK",
    ),
    _pattern(
        "JSON web token",
        ("eyj",),
        r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}\.?[A-Za-z0-9_-]*",
        REDACTED,
        "key eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl failed",
        "eyJyb2xlIjoiYW5vbiJ9",
    ),
    _pattern(
        "bearer token",
        ("bearer",),
        r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{6,}",
        rf"\1{REDACTED}",
        "sent Bearer abc123def456ghi",
        "abc123def456ghi",
    ),
    _pattern(
        "authorization header",
        ("authorization",),
        r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|token|digest)\s+)[^\s\"',;]+",
        rf"\1{REDACTED}",
        "Authorization: Basic dXNlcjpwYXNz",
        "dXNlcjpwYXNz",
    ),
    _pattern(
        "signed URL",
        ("?", "&"),
        r"(?i)([?&](?:token|sig|signature|hmac|key|apikey|api_key|access_token|auth|password|secret"
        r"|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)"
        r"|googleaccessid|awsaccesskeyid|policy|key-pair-id)=)[^&\s\"'<>#]+",
        rf"\1{REDACTED}",
        "GET https://h.example/o.mp4?t=1&X-Amz-Signature=9f8e7d6c&x=2",
        "9f8e7d6c",
    ),
    _pattern(
        "password in a URL",
        ("://",),
        r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@?#\"']*:)[^\s/@\"']+@",
        rf"\1{REDACTED}@",
        "postgresql://postgres:hunter2@db.example:5432/postgres",
        "hunter2",
    ),
    _pattern(
        "DSN",
        ("://",),
        r"(?i)\b(https?://)[^\s/:@?#\"']+@",
        rf"\1{REDACTED}@",
        "https://4f3e2d1c0b@o1.ingest.example/42",
        "4f3e2d1c0b",
    ),
    _pattern(
        "AWS key",
        ("akia", "asia"),
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        REDACTED,
        "id AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE",
    ),
    _pattern(
        "token of a known service",
        ("hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "sk-", "sbp_"),
        r"\b(?:hf_|gh[pousr]_|github_pat_|sk-|sbp_)[A-Za-z0-9_-]{20,}",
        REDACTED,
        "logged in with hf_abcdefghijklmnopqrstuvwxyz",
        "abcdefghijklmnopqrstuvwxyz",
    ),
    _pattern(
        "assignment",
        ("pass", "secret", "token", "key", "authorization", "cookie", "credential", "dsn", "jwt"),
        rf"(?i)(?<![a-z0-9])((?:[a-z0-9]+_)*(?:{_KEY_WORDS})[\"']?\s?[=:]\s?[\"']?)"
        r"(?!\[redacted|none\b|null\b|true\b|false\b)[^\s\"'&,;(){}\[\]<>]{3,}",
        rf"\1{REDACTED}",
        "connecting with db_password='hunter2!' now",
        "hunter2!",
    ),
)

# A text shorter than this holds no secret that a pattern could tell.
_SHORTEST: Final = 8
# What is done with a text of up to this length is remembered.
CACHED_CHARACTERS: Final = 256
_SENSITIVE_KEY: Final = re.compile(rf"(?:^|_)(?:{_KEY_WORDS})$")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

PLAIN_KEY: Final = 0
SECRET_KEY: Final = 1
PROMPT_KEY: Final = 2


def redacted(text: str) -> str:
    """Return a text without secrets, and without what UTF-8 cannot hold."""
    if len(text) <= CACHED_CHARACTERS:
        return _redacted_short(text)
    return _redacted(text)


@lru_cache(maxsize=4096)
def key_rule(key: str) -> int:
    """Tell what a key or the last part of a dotted name says of its value: one of three rules."""
    last = _CAMEL.sub("_", key.rpartition(".")[2]).lower().replace("-", "_").replace(" ", "_")
    if _SENSITIVE_KEY.search(last):
        return SECRET_KEY
    return PROMPT_KEY if "prompt" in last else PLAIN_KEY


class Redactor:
    """Decides by key: secrets are never written, prompts only when `record_prompts` is true.

    Attributes:
        record_prompts: Whether prompts are written.
        known: Attributes, key and plain value, that `telemetry.recorder.attributes.clean` has
            found to need no change, whatever stands beside them.
    """

    __slots__ = ("known", "record_prompts")

    def __init__(self, *, record_prompts: bool = True) -> None:
        self.record_prompts = record_prompts
        self.known: set[tuple[str, Any]] = set()

    def decides(self, key: str) -> bool:
        """Whether a value may be hidden because of its key."""
        rule = key_rule(key)
        return rule == SECRET_KEY or (rule == PROMPT_KEY and not self.record_prompts)

    def replacement(self, key: str, value: Any) -> str | None:
        """Return what stands in the value's place, or None when the value may be written.

        Nothing hides that a value is missing: None, booleans and empty texts are always written.
        """
        if not self.decides(key):
            return None
        kind = type(value)
        if value is None or kind is bool or (kind is str and not value):
            return None
        if key_rule(key) == SECRET_KEY:
            return REDACTED
        return None if kind is int or kind is float else PROMPT_HIDDEN


@lru_cache(maxsize=4096)
def _redacted_short(text: str) -> str:
    return _redacted(text)


def _redacted(text: str) -> str:
    if len(text) >= _SHORTEST:
        lowered = text.lower()
        for pattern in PATTERNS:
            for hint in pattern.hints:
                if hint in lowered:
                    text = pattern.regex.sub(pattern.replacement, text)
                    break
    if text.isascii():
        return text
    # Lone surrogates (from undecodable file names) can be written by no encoder.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
