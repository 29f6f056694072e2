"""Settings: their origins, their checks, and the one line that a wrong one is refused with."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.names import STAGES
from worker.errors import HomeError, SettingsError
from worker.settings.configuration import HIDDEN, load
from worker.settings.environment import child_environment, secret_names, variable_of
from worker.settings.home import HOME_VERSION, prepare_home
from worker.settings.setting_types import HANG_AFTER_S
from worker.settings.settings import Settings
from worker.task import TASK_TYPES


def refusal(options: dict[str, object] | None = None) -> str:
    """Load the settings, which must be refused in one line; return it."""
    with pytest.raises(SettingsError) as caught:
        load(options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_setting_has_a_default_and_a_line_of_help() -> None:
    """Nothing has to be set, and nothing is unexplained."""
    for row in load().explain():
        assert row.source == "default"
        assert row.help.endswith(".")
        assert len(row.help) < 100


def test_the_home_is_in_the_users_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/.loop26`, expanded."""
    monkeypatch.setenv("HOME", "/users/someone")
    assert load().settings.home == Path("/users/someone/.loop26")


def test_later_sources_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Default, then file, then environment, then options; each knows where it came from."""
    (tmp_path / "config.toml").write_text("poll_s = 2\ngrace_s = 2\nmax_deaths = 2\n")
    monkeypatch.setenv("LOOP26_GRACE_S", "3")
    monkeypatch.setenv("LOOP26_POLL_S", "3")
    configuration = load({"home": tmp_path, "poll_s": "4"})
    settings = configuration.settings
    assert (settings.max_attempts, settings.max_deaths) == (3, 2)
    assert (settings.grace_s, settings.poll_s) == (3.0, 4.0)
    sources = {row.name: row.source for row in configuration.explain()}
    assert sources["max_attempts"] == "default"
    assert sources["max_deaths"] == str(tmp_path / "config.toml")
    assert sources["grace_s"] == "environment LOOP26_GRACE_S"
    assert sources["poll_s"] == "command line"


def test_the_file_is_looked_for_in_the_home_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """LOOP26_HOME decides which config.toml is read."""
    (tmp_path / "config.toml").write_text('worker_name = "from the file"\n')
    monkeypatch.setenv("LOOP26_HOME", str(tmp_path))
    assert load().settings.worker_name == "from the file"


def test_lists_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an environment variable has to say them."""
    monkeypatch.setenv("LOOP26_TASK_TYPES", "t2v, i2v,")
    monkeypatch.setenv("LOOP26_ALLOWED_ROOTS", "/data,/more data")
    settings = load().settings
    assert settings.task_types == ("t2v", "i2v")
    assert settings.allowed_roots == (Path("/data"), Path("/more data"))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("generate=2.5, model=0", {"generate": 2.5, "model": 0.0}),
        ("generate=7,", {"generate": 7.0}),
        ("120", dict.fromkeys(STAGES, 120.0)),
        ("0", dict.fromkeys(STAGES, 0.0)),
    ],
)
def test_seconds_by_stage_change_the_defaults_that_they_name(
    text: str, changed: dict[str, float]
) -> None:
    """One number is for every stage."""
    configuration = load({"hang_after_s": text})
    assert configuration.settings.hang_after_s == {**HANG_AFTER_S, **changed}
    shown = next(row.value for row in configuration.explain() if row.name == "hang_after_s")
    assert load({"hang_after_s": shown}).settings == configuration.settings


def test_seconds_by_stage_are_a_table_in_the_file(tmp_path: Path) -> None:
    """Or a number, or the text."""
    (tmp_path / "config.toml").write_text("[hang_after_s]\ngenerate = 5\n")
    assert load({"home": tmp_path}).settings.hang_after_s == {**HANG_AFTER_S, "generate": 5.0}


@pytest.mark.parametrize(
    "text",
    [
        '[retries]\n"t2v.death" = 1\n"*.hang" = 2\n',
        '[retries]\nt2v.death = 1\n"*".hang = 2\n',
        'retries = "t2v.death=1, *.hang=2"\n',
    ],
)
def test_retries_are_a_table_in_the_file(tmp_path: Path, text: str) -> None:
    """With dots that TOML takes for tables, or without; or the text."""
    (tmp_path / "config.toml").write_text(text)
    assert load({"home": tmp_path}).settings.retries == {"t2v.death": 1, "*.hang": 2}


@pytest.mark.parametrize("value", ["5", "true", "[1]", '{"t2v.death" = true}', "{t2v.death.x = 1}"])
def test_retries_that_are_none_are_refused(tmp_path: Path, value: str) -> None:
    """Whatever TOML can say."""
    (tmp_path / "config.toml").write_text(f"retries = {value}\n")
    with pytest.raises(SettingsError, match="retries"):
        load({"home": tmp_path})


def test_lists_are_lists_in_the_file(tmp_path: Path) -> None:
    """TOML has arrays."""
    (tmp_path / "config.toml").write_text('task_types = ["t2v"]\nmodels_dirs = ["/models"]\n')
    settings = load({"home": tmp_path}).settings
    assert settings.task_types == ("t2v",)
    assert settings.models_dirs == (Path("/models"),)


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LOOP26_DEVICE=` is how compose files leave a variable out."""
    monkeypatch.setenv("LOOP26_DEVICE", "")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    settings = load().settings
    assert settings.device == "auto"
    assert settings.otlp_endpoint is None


def test_telemetry_is_set_by_the_names_that_everybody_uses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variables of OpenTelemetry and Sentry, without our prefix."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer x")
    monkeypatch.setenv("SENTRY_DSN", "https://key@host/7")
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "staging")
    settings = load().settings
    assert settings.otlp_endpoint == "http://localhost:4318"
    assert settings.otlp_headers is not None
    assert settings.otlp_headers.get_secret_value() == "authorization=Bearer x"
    assert settings.sentry_dsn is not None
    assert settings.sentry_dsn.get_secret_value() == "https://key@host/7"
    assert settings.sentry_environment == "staging"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("poll_s", "soon", ["poll_s", "'soon'", "number", "LOOP26_POLL_S"]),
        ("poll_s", "0", ["poll_s", "'0'", "greater than 0"]),
        ("poll_s", "nan", ["poll_s", "'nan'"]),
        ("max_deaths", "2.5", ["max_deaths", "'2.5'", "integer"]),
        ("device", "gpu", ["device", "'gpu'"]),
        ("dtype", "fp8", ["dtype", "'fp8'", "bfloat16"]),
        ("offload", "disk", ["offload", "'disk'", "sequential"]),
        ("engine", "wan", ["engine", "'wan'", "diffusers"]),
        ("compile", "perhaps", ["compile", "'perhaps'", "boolean"]),
        ("video_crf", "52", ["video_crf", "'52'", "51"]),
        ("task_types", "t2v,t2w", ["task_types", "'t2w'", *TASK_TYPES]),
        ("task_types", ",", ["task_types", "names no task type"]),
        ("worker_name", "", ["worker_name"]),
        ("otlp_endpoint", "localhost:4318", ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://"]),
        ("jaeger_url", "localhost:16686", ["LOOP26_JAEGER_URL", "http://"]),
        ("sentry_url", "sentry.example", ["LOOP26_SENTRY_URL", "http://"]),
        ("hang_after_s", "soon", ["hang_after_s", "'soon'", "number from 0"]),
        ("hang_after_s", "generate=nan", ["hang_after_s", "'nan' for generate"]),
        ("hang_after_s", "model=1,load=2", ["unknown stage 'load'", "inputs, parameters"]),
        ("hang_after_s", "model=-1", ["'-1' for model"]),
        ("retries", "t2w.error=3", ["retries", "unknown task type 't2w'", "known: *, travel"]),
        ("retries", "t2v.oom=3", ["unknown kind 'oom' in 't2v.oom'", "error, death, hang"]),
        ("retries", "t2v.death=0", ["'0' for t2v.death", "integer from 1 to 100"]),
        ("retries", "t2v.death=1.5", ["'1.5' for t2v.death"]),
        ("retries", "*.hang=101", ["'101' for *.hang"]),
        ("retries", "t2v=3", ["'t2v' must be TYPE.KIND", "*.hang"]),
        ("lease_s", "20", ["lease_s = 20", "2 x heartbeat_s", "raise lease_s"]),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, said: list[str]) -> None:
    """The setting, the value, and the way out."""
    message = refusal({name: value})
    for text in said:
        assert text in message


def test_the_variable_that_holds_the_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One who reads the error knows where to look."""
    monkeypatch.setenv("LOOP26_THREADS", "-1")
    assert "(environment LOOP26_THREADS)" in refusal()


def test_every_wrong_value_is_told_at_once() -> None:
    """Not one at each start."""
    message = refusal({"poll_s": "x", "threads": "y"})
    assert "poll_s" in message
    assert "threads" in message


def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """A typing error in the file or an option would else be passed over."""
    (tmp_path / "config.toml").write_text("heartbeats = 5\n")
    message = refusal({"home": tmp_path})
    assert "config.toml" in message
    assert "did you mean 'heartbeat_s'?" in message
    assert "unknown setting 'pol'" in refusal({"pol": "1"})


def test_foreign_variables_with_our_prefix_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes makes LOOP26_PORT and more for a service of that name."""
    monkeypatch.setenv("LOOP26_SERVICE_HOST", "10.0.0.1")
    assert load().settings.poll_s == 1.0


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """With its path and the line."""
    (tmp_path / "config.toml").write_text("poll_s = = 2\n")
    message = refusal({"home": tmp_path})
    assert str(tmp_path / "config.toml") in message
    assert "line 1" in message


def test_the_home_cannot_be_set_in_its_own_file(tmp_path: Path) -> None:
    """It would name another file."""
    (tmp_path / "config.toml").write_text('home = "/elsewhere"\n')
    assert "--home DIR" in refusal({"home": tmp_path})


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("authorization=Bearer%20x", {"authorization": "Bearer x"}),
        ("authorization=Bearer x", {"authorization": "Bearer x"}),
        ("a=1%2C2, b=x%3Dy ,", {"a": "1,2", "b": "x=y"}),
        ("authorization=Basic eDp5Cg==", {"authorization": "Basic eDp5Cg=="}),
        ("x-plus=1+1", {"x-plus": "1+1"}),
        ("x-share=100%", {"x-share": "100%"}),
    ],
)
def test_headers_are_decoded_as_opentelemetry_encodes_them(
    text: str, fields: dict[str, str]
) -> None:
    """Percent-encoding, of which a plain text is a case."""
    assert load({"otlp_headers": text}).settings.otlp_headers_map == fields


def test_without_headers_there_are_none() -> None:
    """An empty map, and no None to be looked into."""
    assert load().settings.otlp_headers_map == {}


@pytest.mark.parametrize(
    "text", ["s3cret", "=s3cret", "a b=s3cret", "a=s3cret%0D%0Ab:c", "a=s3%E2%82%AC"]
)
def test_headers_that_http_cannot_carry_are_refused(text: str) -> None:
    """At the start, not at the first export; and the message keeps the secret."""
    message = refusal({"otlp_headers": text})
    assert "otlp_headers" in message
    assert "s3" not in message


def test_every_setting_that_is_a_secret_is_known_as_one() -> None:
    """By its type: a new one needs no second list."""
    assert secret_names() == {
        *("otlp_headers", "sentry_dsn", "sentry_token"),
        *("supabase_publishable_key", "supabase_anon_key", "worker_token", "supabase_db_url"),
        *("supabase_secret_key", "supabase_service_role_key"),
        *("s3_access_key_id", "s3_secret_access_key", "s3_session_token"),
    }


def test_a_child_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task process, or native code in it, prints or leaks holds none of ours."""
    names = (
        *("SENTRY_DSN", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        *("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "sentry_dsn"),
        *("LOOP26_SENTRY_TOKEN", "loop26_sentry_token", "LOOP26_WORKER_TOKEN"),
        *("SUPABASE_DB_URL", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    )
    for name in names:
        monkeypatch.setenv(name, "s3cret")
    code = "import os; print(os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "s3cret" not in done.stdout
    assert "PATH" in done.stdout


def test_a_child_inherits_all_that_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device, the caches, the proxies, and where telemetry goes are no secrets."""
    names = ("CUDA_VISIBLE_DEVICES", "HF_TOKEN", "HTTPS_PROXY", "SENTRY_ENVIRONMENT")
    for name in names:
        monkeypatch.setenv(name, "as it was")
    inherited = child_environment()
    assert [inherited[name] for name in names] == ["as it was"] * len(names)


@pytest.mark.parametrize("name", ["sentry_dsn", "otlp_headers"])
def test_a_secret_is_in_no_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it is right nor when it is wrong."""
    wrong = "s3cret-value"
    monkeypatch.setenv(variable_of(name), wrong)
    assert wrong not in refusal()
    right = {"sentry_dsn": "https://s3cret@host/1", "otlp_headers": "x-key=s3cret"}[name]
    monkeypatch.setenv(variable_of(name), right)
    configuration = load()
    shown = {row.name: row.value for row in configuration.explain()}
    assert shown[name] == HIDDEN
    assert "s3cret" not in repr(configuration.settings)
    assert "s3cret" not in configuration.settings.model_dump_json()


def test_settings_made_directly_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test or a caller gets what it asks for, whatever the machine's environment."""
    monkeypatch.setenv("LOOP26_POLL_S", "9")
    assert Settings().poll_s == 1.0


def test_the_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds prompts and pictures."""
    settings = Settings(home=tmp_path / "a" / "b")
    prepare_home(settings)
    for folder in (settings.home, settings.spool_dir, settings.outputs_dir, settings.cache_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (settings.home / "version").read_text() == f"{HOME_VERSION}\n"


def test_a_home_can_be_prepared_again(tmp_path: Path) -> None:
    """As every command does."""
    settings = Settings(home=tmp_path)
    prepare_home(settings)
    (settings.outputs_dir / "kept").write_text("x")
    prepare_home(settings)
    assert (settings.outputs_dir / "kept").read_text() == "x"


def test_a_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """By both versions, and nothing is written into it."""
    (tmp_path / "version").write_text(f"{HOME_VERSION + 1}\n")
    with pytest.raises(HomeError, match=rf"version {HOME_VERSION + 1} .* up to {HOME_VERSION}"):
        prepare_home(Settings(home=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["version"]


def test_a_home_with_a_version_that_is_none_is_refused(tmp_path: Path) -> None:
    """Whatever it is, it is not ours."""
    (tmp_path / "version").write_text("two\n")
    with pytest.raises(HomeError, match="'two', not a number"):
        prepare_home(Settings(home=tmp_path))


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """With the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="--home DIR"):
        prepare_home(Settings(home=tmp_path / "file"))


@pytest.mark.parametrize("home", ["/proc/loop26", "/sys"])
def test_an_unwritable_home_is_refused(home: str) -> None:
    """Whether it is there or would have to be made; not even root may write there."""
    with pytest.raises(HomeError, match="cannot be used"):
        prepare_home(Settings(home=Path(home)))
