"""What a key says of its value: that it is a secret, a prompt, or nothing."""

import re
from functools import lru_cache
from typing import Final

PLAIN_KEY: Final = 0
SECRET_KEY: Final = 1
PROMPT_KEY: Final = 2

# Of which at least one is in the name of every secret, in lower case.
NAME_HINTS: Final = (
    *("pass", "pwd", "secret", "token", "key", "auth", "cookie", "credential", "dsn", "jwt"),
    *("webhook", "connection", "signature", "bearer", "session"),
)
_LONGEST_NAME: Final = 200
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATOR: Final = re.compile(r"[^a-z0-9]+")

# These name a secret wherever they stand: DB_PASSWORD_PROD, api_keys, SECRET_VALUE.
_ANYWHERE: Final = (
    r"passw(?:or)?ds?|passphrases?|passcodes?|pwd|secrets?|credentials?|connection_?strings?"
    r"|shared_?access_?signature"
    r"|(?:api|access|account|private|secret|signing|encryption|service(?:_?role)?|anon|master"
    r"|supabase|openai|anthropic|huggingface|hf|fal|replicate|runpod|civitai|stripe|azure|aws)"
    r"_?keys?"
)
# … unless what follows says that it is about one: password_length, secret_name, token_count.
_ABOUT: Final = (
    r"ids?|names?|files?|paths?|dir|length|len|count|type|kind|url|uri|arn|policy|required|fields?"
    r"|hint|expiry|expires|ttl|age|version|manager|provider|enabled|min|max|size|chars|index"
    r"|source|errors?|patterns?"
)
# These do where nothing else follows than which one it is.
_AT_THE_END: Final = (
    r"token|(?:access|api|auth|bearer|refresh|session)_?tokens|auth|authorization|bearer|cookies?"
    r"|dsn|jwts?|webhook(?:_?url)?|session_?(?:id|key)"
)
_WHICH: Final = (
    r"prod|production|staging|stage|dev|test|live|old|new|backup|value|hash|raw|text|str|string"
    r"|header|[0-9]+"
)
# These do without a word's boundary before them: PGPASSWORD, accesstoken.
_JOINED: Final = (
    r"passw(?:or)?d|passphrase|secret|apikey|(?:access|api|auth|bearer|refresh|session|hf)token"
)
_SECRET: Final = re.compile(
    rf"(?:^|_)(?:{_ANYWHERE})[0-9]*(?:_(?!(?:{_ABOUT})(?:_|$))[a-z0-9]+)*+$"
    rf"|(?:^|_)(?:{_AT_THE_END})[0-9]*(?:_(?:{_WHICH}))*+$"
    rf"|(?:{_JOINED})s?[0-9]*$"
)
# A language model's, which are words.
_ORDINARY: Final = re.compile(r"(?:^|_)(?:eos|bos|pad|unk|sep|cls|mask|special)_token$")
# What is said of a prompt, and is none: prompt_type, prompts_count.
_ABOUT_PROMPT: Final = re.compile(r"_(?:types?|modes?|counts?|index|len|length|ids?|keys?)$")


def key_rule(key: str) -> int:
    """Tell what a key or the last part of a dotted name says of its value: one of three rules."""
    return _rule(key[-_LONGEST_NAME:])


@lru_cache(maxsize=4096)
def _rule(key: str) -> int:
    name = _SEPARATOR.sub("_", _CAMEL.sub("_", key.rpartition(".")[2]).lower()).strip("_")
    if _SECRET.search(name) and not _ORDINARY.search(name):
        return SECRET_KEY
    is_prompt = "prompt" in name and not _ABOUT_PROMPT.search(name)
    return PROMPT_KEY if is_prompt else PLAIN_KEY
