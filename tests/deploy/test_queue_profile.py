"""The profile `queue`, with a real PostgreSQL and PostgREST: its secrets, and its login."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.deploy.conftest import Composed
from tests.deploy.files import compose_file, variables
from tests.servers.cache import ROOT

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

MAKE_SECRETS = ROOT / "deploy" / "make_secrets.py"


def made() -> dict[str, str]:
    """Run what makes secrets; return them by name."""
    done = subprocess.run(
        [sys.executable, "-I", MAKE_SECRETS], capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def log_in(server: "Supabase", password: str) -> subprocess.CompletedProcess[str]:
    """Run what the service `login` runs."""
    service = compose_file()["services"]["login"]
    program, *options = service["entrypoint"]
    [script] = service["command"]
    return subprocess.run(
        [program, *options, script.replace("$$", "$")],
        env={
            "PATH": f"{server.postgresql.programs}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.postgresql.port),
            "PGUSER": service["environment"]["PGUSER"],
            "PGDATABASE": service["environment"]["PGDATABASE"],
            "AUTHENTICATOR_PASSWORD": password,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def loop26(home: Path, settings: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with these settings and no others."""
    return subprocess.run(
        [Path(sys.executable).with_name("loop26"), "--home", home, *command],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def password_of_authenticator(server: "Supabase") -> str:
    """Return what the database keeps of it: a salted hash."""
    with server.connect() as connection:
        row = connection.execute(
            "select rolpassword from pg_authid where rolname = 'authenticator'"
        ).fetchone()
    assert row is not None
    return row[0] or ""


def test_login_gives_the_role_its_password_and_a_new_one(supabase_server: "Supabase") -> None:
    """Whatever is in it, and without a word of it."""
    kept = []
    for password in ("it's a \\password; --", "another"):
        done = log_in(supabase_server, password)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        kept.append(password_of_authenticator(supabase_server))
    assert all(each.startswith("SCRAM-SHA-256$") for each in kept)
    assert kept[0] != kept[1]


def test_login_refuses_no_password(supabase_server: "Supabase") -> None:
    """A role with an empty one could never log in, and nobody would know why."""
    done = log_in(supabase_server, "")
    assert done.returncode != 0
    assert "AUTHENTICATOR_PASSWORD: is not set: see .env.example" in done.stderr


@pytest.mark.parametrize(
    ("role", "statuses"), [("service_role", {200}), ("anon", {401, 403})], ids=str
)
def test_keys_open_what_their_role_may(
    supabase_server: "Supabase", role: str, statuses: set[int]
) -> None:
    """To PostgREST, by the secret that they are signed with."""
    key = runpy.run_path(str(MAKE_SECRETS))["key"](supabase_server.secret, role)
    answer = httpx.post(
        f"{supabase_server.rest_url}/rpc/loop26_diagnose_queue",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    assert answer.status_code in statuses, answer.text


def test_an_operator_lets_a_worker_in(supabase_server: "Supabase", tmp_path: Path) -> None:
    """As docs/deploying.md has it: with a key that was made, a token is, and that is enough."""
    key = runpy.run_path(str(MAKE_SECRETS))["key"]
    secret, url = supabase_server.secret, supabase_server.rest_url
    queue = {"SUPABASE_URL": url, "LOOP26_SUPABASE_REST_URL": url}
    operator = {**queue, "SUPABASE_SECRET_KEY": key(secret, "service_role")}
    looked = loop26(tmp_path, operator, "doctor")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    created = loop26(tmp_path, operator, "worker-token", "create", "this-machine", "--days", "365")
    [token] = re.findall(r"l26w_\S+", created.stdout)
    worker = {**queue, "SUPABASE_PUBLISHABLE_KEY": key(secret, "anon")}
    for given, let_in in ((token, True), (f"{token}x", False)):
        looked = loop26(tmp_path, {**worker, "LOOP26_WORKER_TOKEN": given}, "doctor")
        assert (looked.returncode == 0) is let_in, looked.stdout + looked.stderr


def test_secrets_are_made_anew_and_long() -> None:
    """None twice, and each for a variable of the example."""
    first, second = made(), made()
    assert set(first) <= set(variables(".env.example"))
    for name, value in first.items():
        assert value != second[name]
        assert len(value) >= 32
        assert re.fullmatch(r"[\w.-]+", value), name  # fits into an address, and into .env


def test_compose_takes_what_was_made(composed: Composed, tmp_path: Path) -> None:
    """The database's owner and PostgREST log in with it."""
    file = tmp_path / "env"
    secrets = made()
    file.write_text("".join(f"{name}={value}\n" for name, value in secrets.items()))
    services = composed("queue", "cpu", env_file=str(file))["services"]
    assert services["migrate"]["environment"]["SUPABASE_DB_URL"] == (
        f"postgresql://postgres:{secrets['POSTGRES_PASSWORD']}@postgres:5432/queue"
    )
    assert services["postgrest"]["environment"]["PGRST_DB_URI"] == (
        f"postgres://authenticator:{secrets['AUTHENTICATOR_PASSWORD']}@postgres:5432/queue"
    )
    assert services["postgrest"]["environment"]["PGRST_JWT_SECRET"] == secrets["PGRST_JWT_SECRET"]


def test_the_queue_is_made_in_order() -> None:
    """The database, its schema, the login, then who logs in; and workers after the schema."""
    services = compose_file()["services"]
    after = {name: services[name]["depends_on"] for name in ("migrate", "login", "postgrest")}
    assert after == {
        "migrate": {"postgres": {"condition": "service_healthy"}},
        "login": {"migrate": {"condition": "service_completed_successfully"}},
        "postgrest": {"login": {"condition": "service_completed_successfully"}},
    }
    assert services["worker"]["depends_on"]["migrate"] == {
        "condition": "service_completed_successfully",
        "required": False,  # without the profile there is none
    }
