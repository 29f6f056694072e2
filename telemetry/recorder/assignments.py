"""Secrets that stand beside a name that calls them so: `password = "…"`, `--token …`.

Everything here is linear in a text's length: repetition is possessive, and what follows a name
ends at the next name at the latest, at a bound, or is consumed.
"""

import re
from typing import Final, NamedTuple

from telemetry.recorder.secret_names import SECRET_KEY, key_rule

REDACTED: Final = "[redacted]"


class Form(NamedTuple):
    """A form in which a value follows a name, with an example; `secret` in it must vanish."""

    name: str
    regex: str
    example: str
    secret: str


_QUOTE: Final = r"\\{0,4}[\"']"  # in JSON within JSON, and in the repr of that, it is escaped
_TYPE: Final = (
    r"(?:[A-Za-z_]\w*\.){0,4}(?:str|bytes|int|float|bool|any|object|optional|union|annotated|final"
    r"|classvar|list|dict|tuple|type|path|callable|none|secretstr|secretbytes)"
)
# A type with what is in its brackets, and others that it may be: `str | None`.
_ANNOTATION: Final = rf"{_TYPE}\b(?:\[[^\]\r\n=]{{0,120}}\]{{1,3}})?"
_PLACE: Final = r"(?:\[\]|%5B%5D|\])?"  # of `environ["PASSWORD"] =`, of `?password[]=`
_OPENING: Final = r"\s?(?:\(\s{0,40}(?=[bru]{0,2}[\"']))?"

# How what follows a name is tied to it; the first that fits counts.
FORMS: Final = (
    Form(
        "annotated",
        rf"(?:{_QUOTE})?:\s?(?:{_QUOTE})?{_ANNOTATION}(?:\s?\|\s?{_ANNOTATION}){{0,4}}"
        rf"(?:{_QUOTE})?\s?=(?!=){_OPENING}",
        'password: str | None = "hunter2hunter2"',
        "hunter2hunter2",
    ),
    Form(
        "assigned",
        rf"(?:{_QUOTE})?{_PLACE}\s?(?:=>|[:=!]==?|=|:|%3[ad]){_OPENING}",
        'os.environ["DB_PASSWORD"] = "hunter2hunter2"',
        "hunter2hunter2",
    ),
    Form(
        "object",
        rf"{_QUOTE}\s{{0,8}},\s{{0,40}}{_QUOTE}(?:value|val|content|default){_QUOTE}\s?:\s?",
        '{"name": "SUPABASE_KEY", "value": "hunter2hunter2"}',
        "hunter2hunter2",
    ),
    Form(
        "pair",
        rf"{_QUOTE}\s{{0,8}},\s{{0,40}}(?=[bruf]{{0,2}}{_QUOTE})",
        'os.environ.get("PASSWORD", "hunter2hunter2")',
        "hunter2hunter2",
    ),
    Form("element", r">", "<password>hunter2hunter2</password>", "hunter2hunter2"),
    Form(
        "flag",
        rf"(?:{_QUOTE})?(?:\s{{0,8}},\s{{0,40}}|\s{{1,40}})",
        "ran upload --api-token hunter2hunter2 --fast",
        "hunter2hunter2",
    ),
)
_NAME: Final = re.compile(
    r"(?i)(?:(?<![\w-])|(?<=%[0-9a-f][0-9a-f]))"
    r"((?:(?:api|access|auth|private|secret) )?[a-z_-][a-z0-9_-]*+)"
    rf"(?:{'|'.join(f'(?P<{form.name}>{form.regex})' for form in FORMS)})"
)

_BODY: Final = r"(?:\\[^\r\n]|\\(?=[\r\n]|\Z)|[^\r\n\\])"
# What is missing is shown, a type is, and what has been hidden is not hidden once more.
_MISSING: Final = (
    rf"(?!\[redacted|%[a-z]\b|(?:true|false|null|{_ANNOTATION})(?=[\s,;)\]|=:}}\"'\\]|\Z))"
)
# A quoted text that is not closed goes as far as its line.
_LITERAL: Final = (
    rf"(?P<quote>[bruf]{{0,2}}(?P<mark>\\{{0,4}}(?:\"\"\"|'''|[\"'])))"
    rf"(?![bruf]{{0,2}}\s*(?P=mark)){_MISSING}(?:(?!(?P=mark)){_BODY}){{3,}}+(?P<closed>(?P=mark))?"
)
_LINES: Final = (
    r"(?P<quote>[bruf]{0,2}(?P<mark>\"\"\"|'''))(?=\r?\n)[\s\S]{3,4096}?(?P<closed>(?P=mark))"
)
_INSIDE: Final = (
    r"(?:\"(?:\\[\s\S]|[^\"\\\r\n])*+\"|'(?:\\[\s\S]|[^'\\\r\n])*+'"
    r"|[^\"'()\[\]{}<>]|(?<=\w)'(?=\w))"
)
_NESTED: Final = rf"(?:{_INSIDE}|[(\[{{<](?:{_INSIDE}|[(\[{{<]{_INSIDE}*+[)\]}}>])*+[)\]}}>])*+"
# A list, an object, a call: all of it.
_GROUP: Final = rf"{_MISSING}[\w.]*+[(\[{{<](?=\s*[^\s()\[\]{{}}<>]{{3}}){_NESTED}(?:[)\]}}>]|\Z)"
_WORD: Final = rf"{_MISSING}(?:[^\s\"'\\&,;(){{}}\[\]<>]|(?<=\w)[\"'](?=\w)){{3,}}+"
_CONTENT: Final = re.compile(r"(?!\[redacted)[^<>\r\n]{3,}+")
# What stands for a value in source code: a call or a subscript without a literal, an attribute.
_CODE: Final = re.compile(r"[A-Za-z_.]++(?:[(\[][^\"'\r\n]*[)\]])|[a-z_]++(?:\.[a-z_]++)++")
_CALLED: Final = re.compile(r"[A-Za-z_.]+")
_NAMED: Final = re.compile(r"[a-z_]+")
# Names that mean something else as often, and what is no secret beside them.
_AMBIGUOUS: Final = re.compile(r"(?i)(?:^|[_-])(?:token|auth)$")
_PLAIN: Final = re.compile(r"[\"']?[A-Za-z_]+[\"']?")
_LITERAL_VALUE: Final = re.compile(f"(?i){_LITERAL}")
_LINES_VALUE: Final = re.compile(f"(?i){_LINES}")
_OTHER_VALUE: Final = re.compile(f"(?i)(?:{_GROUP}|{_WORD})")


def without_assigned(text: str) -> str:
    """Hide what is given to a name that would be a secret's key; lines stay as many."""
    parts: list[str] = []
    end = 0
    for key in _NAME.finditer(text):
        if key.start() < end or key_rule(key[1]) != SECRET_KEY or not _fits(key, text):
            continue
        value = _value(key, text)
        if value is not None:
            parts += (text[end : key.end()], _hidden(value))
            end = value.end()
    return "".join((*parts, text[end:])) if parts else text


def _fits(key: re.Match[str], text: str) -> bool:
    """Whether what is before a name goes with what is after it."""
    before = text[max(0, key.start() - 1) : key.start()]
    match key.lastgroup:
        case "pair" | "object":
            return before in {'"', "'"}
        case "element":
            return before == "<"
        case "flag":
            return key[1].startswith("--") and not text.startswith("-", key.end())
        case _:
            return True


def _value(key: re.Match[str], text: str) -> re.Match[str] | None:
    if key.lastgroup == "element":
        return _CONTENT.match(text, key.end())
    found = _LINES_VALUE.match(text, key.end()) or _LITERAL_VALUE.match(text, key.end())
    found = found or _OTHER_VALUE.match(text, key.end())
    return None if found is None or _is_code(key, found) else found


def _is_code(key: re.Match[str], value: re.Match[str]) -> bool:
    """Whether a value is a name, a call or a plain word: what a failing line must go on to show."""
    said = value.group().rstrip(":")
    is_called = value.string.startswith(("(", "["), value.end()) and _CALLED.fullmatch(said)
    if key[0].endswith("= ") and (is_called or _CODE.fullmatch(said)):
        return True
    if key_rule(said) == SECRET_KEY and _NAMED.fullmatch(said):  # `f(token=token)`
        return True
    is_told = key.lastgroup == "pair" or key[0].endswith(": ")
    return is_told and _AMBIGUOUS.search(key[1]) is not None and bool(_PLAIN.fullmatch(said))


def _hidden(value: re.Match[str]) -> str:
    lines = "\n" * value.group().count("\n")
    facts = value.groupdict()
    return f"{facts.get('quote') or ''}{REDACTED}{lines}{facts.get('closed') or ''}"
