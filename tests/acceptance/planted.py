"""Fifty secrets that were made up, in the forms in which real ones are met."""

import base64
import json
import random
import string
from typing import NamedTuple

_DICE = random.Random(50)
_WORD = string.ascii_letters + string.digits


class Planted(NamedTuple):
    """A secret.

    Attributes:
        name: What it is.
        text: A text as programs write it, that holds it.
        parts: What must be found nowhere.
    """

    name: str
    text: str
    parts: tuple[str, ...]


def _word(length: int = 24, letters: str = _WORD) -> str:
    return "".join(_DICE.choices(letters, k=length))


def _of(name: str, form: str, length: int = 24, letters: str = _WORD) -> Planted:
    """Put a word that was drawn in the place of `{}`."""
    word = _word(length, letters)
    return Planted(name, form.replace("{}", word), (word,))


def _jwt(name: str, form: str) -> Planted:
    """Put a JSON web token, as of Supabase, in the place of `{}`."""
    claims = {"iss": "supabase", "ref": _word(20), "role": "service_role", "exp": 2_000_000_000}
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    signature = _word(43)
    return Planted(name, form.replace("{}", f"{head}.{body}.{signature}"), (body, signature))


def _pem(name: str, kind: str, newline: str = "\n") -> Planted:
    lines = [_word(64, _WORD + "+/") for _ in range(4)]
    text = newline.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])
    return Planted(name, text, tuple(lines))


SECRETS = (
    _of("Supabase secret key", "sb_secret_{}_x1", 22),
    _of("Supabase publishable key", "sb_publishable_{}", 30),
    _jwt("Supabase service role key", "SUPABASE_SERVICE_ROLE_KEY={}"),
    _jwt("Supabase legacy key alone", "{}"),
    _jwt("Supabase key in a header", "apikey: {}"),
    _jwt("Supabase signed URL", "https://p.supabase.co/storage/v1/object/sign/in/a.png?token={}"),
    _of("Supabase access token", "sbp_{}", 40, "0123456789abcdef"),
    _of("Supabase database URL", "postgresql://postgres.ref:{}@db.ref.supabase.co:5432/postgres"),
    _of("database password with signs", "postgres://u:{}@p/w@h.example/db", 16),
    _of("asyncpg URL", "postgresql+asyncpg://worker:{}@127.0.0.1/tasks"),
    _of("Redis URL", "redis://:{}@cache.example:6379/0"),
    _of("URL with a user", "https://render:{}@files.example/in/a.png"),
    _of("FTP URL", "ftp://render:{}@files.example/a.png"),
    _of("Sentry DSN", "https://{}@o42.ingest.example/1337", 32, "0123456789abcdef"),
    _of("DSN with two keys", "SENTRY_DSN=https://public:{}@sentry.example/2", 32),
    _of("bearer token", "Authorization: Bearer {}", 40),
    _of("bearer token alone", "with bearer {}", 40),
    _of("bearer token, encoded", "authorization=Bearer%20{}", 40),
    _of("basic authorization", "Authorization: Basic {}=="),
    _of("key authorization", "'Authorization': 'Key {}:abcdef'", 30),
    _of("header of a key", "X-Api-Key: {}", 32),
    _of("S3 signature", "https://b.s3.amazonaws.com/o?X-Amz-Expires=9&X-Amz-Signature={}", 64),
    _of("S3 session", "https://b.s3.amazonaws.com/o?X-Amz-Security-Token={}&X-Amz-Expires=9", 80),
    _of("S3 signature, old", "https://b.s3.amazonaws.com/o?AWSAccessKeyId=x&Signature={}%3D", 27),
    _of("GCS signature", "https://storage.googleapis.com/b/o?X-Goog-Signature={}", 128),
    _of("Azure signature", "https://a.blob.core.windows.net/c/o?sv=2024&sig={}%3D&se=x", 43),
    _of(
        "CloudFront signature",
        "https://d.cloudfront.net/o?Policy=p&Signature={}~&Key-Pair-Id=K",
        60,
    ),
    _of("Civitai token", "https://civitai.com/api/download/models/7?type=Model&token={}", 32),
    _of("nested URL", "https://h.example/go?to=https%3A%2F%2Fb%2Fo%3Ftoken%3D{}%26x%3D1", 32),
    _of("AWS access key id", "AKIA{}", 16, string.ascii_uppercase + string.digits),
    _of("AWS temporary key id", "ASIA{}", 16, string.ascii_uppercase + string.digits),
    _of("AWS secret key", "aws_secret_access_key = {}", 40, _WORD + "+/"),
    _of("AWS secret key in a dictionary", "{'AWS_SECRET_ACCESS_KEY': '{}'}", 40, _WORD + "+/"),
    _of("AWS request", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature={}", 64, "0123456789abcdef"),
    _pem("private key", "PRIVATE KEY"),
    _pem("RSA private key", "RSA PRIVATE KEY"),
    _pem("OpenSSH private key on one line", "OPENSSH PRIVATE KEY", "\\n"),
    _of("Hugging Face token", "hf_{}", 34),
    _of("GitHub token", "ghp_{}", 36),
    _of("GitHub fine-grained token", "github_pat_11ABC_{}", 40),
    _of("OpenAI key", "sk-proj-{}", 48),
    _of("Anthropic key", "sk-ant-api03-{}-AA", 40),
    _of("Google key", "AIza{}", 35),
    _of("Slack token", "xoxb-1234567890-{}", 24),
    _of("Slack webhook", "https://hooks.slack.com/services/T01/B01/{}"),
    _of("Discord webhook", "https://discord.com/api/webhooks/123456/{}", 60),
    _of("Telegram bot", "https://api.telegram.org/bot123456:{}/sendMessage", 35),
    _of("cookie", "Cookie: theme=dark; sb-access={}; lang=en", 32),
    _of("set cookie", "set-cookie: session={}; HttpOnly; Path=/", 32),
    _of("password", "password='{} and a space'", 16),
    _of("JSON in JSON", '{"settings": "{\\"db_password\\": \\"{}\\"}"}', 20),
    _of("command line", "upload --api-token {} --fast", 20),
    _of("arguments", "['upload', '--password', '{}', '--fast']", 20),
    _of("user of curl", "curl -sS -u worker:{} https://h.example", 20),
    _of("netrc", "machine h.example login worker password {}", 20),
    _of("Stripe key", "sk_live_{}", 24),
    _of("webhook secret", "whsec_{}", 32),
    _of("RunPod key", "rpa_{}", 44, string.ascii_uppercase + string.digits),
    _of("Replicate token", "REPLICATE_API_TOKEN=r8_{}", 37),
    _of("environment of PostgreSQL", "PGPASSWORD={}", 20),
)

# Whose value stands apart from what says that it is a secret: in lists, pairs and objects.
APART = (
    _of("argument", "{}", 20),
    _of("header of a pair", "{}", 20),
    _of("variable of an object", "{}", 20),
    _of("element of several", "{}", 20),
)


def apart() -> dict[str, object]:
    """Return each of `APART` in its place."""
    argument, header, variable, element = (secret.text for secret in APART)
    return {
        "arguments": ["upload", "--api-token", argument, "--fast"],
        "pairs": [["X-Api-Key", header], ["Accept", "*/*"]],
        "objects": [{"name": "DB_PASSWORD", "value": variable}],
        "api_keys": [element],
    }


# Where texts are cut: locals, windows, messages, log records and printed lines, attributes.
LIMITS = (2048, 4096, 8192, 64 * 1024, 256 * 1024)
_EDGES = ("Supabase database URL", "bearer token", "AWS access key id", "password", "arguments")


def at_the_edges() -> list[str]:
    """Return texts in which a limit falls into a secret."""
    planted = [secret for secret in SECRETS if secret.name in _EDGES]
    return [
        f"{'e' * (limit - secret.text.index(secret.parts[0]) - 13)} {secret.text} {'f' * 9000}"
        for limit in LIMITS
        for secret in planted
    ]
