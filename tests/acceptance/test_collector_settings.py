"""otel-collector.yaml, run by a real collector: what it hides, refuses, offers and tells."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from telemetry.recorder.redaction import redacted
from telemetry.shipper.delivery import Verdict
from telemetry.testing import OtlpReceiver, Reply
from tests.acceptance.home import wait_for
from tests.acceptance.planted import SECRETS, Planted
from tests.servers.base import answers
from tests.servers.cache import ROOT
from tests.servers.collector.otlp_json import RESOURCE, attributes, gauge, logs, send, span, traces
from tests.servers.collector.server import SETTINGS, Collector, validated

pytestmark = [
    pytest.mark.timeout(1800),  # it is built first, where no cache has it
    pytest.mark.usefixtures("collector_program"),
]

PROMPT = "a token of love, a secret garden; the password is swordfish, the key is under the mat"
# As a journey's parameters hold them: one after the other, each a text of its own.
PROMPTS = json.dumps({"prompts": ["she has a secret", "the bearer carries a token", "a lantern"]})
HIDDEN = "****"
ARRIVAL_S = 180


@pytest.fixture(scope="module")
def store() -> Iterator[OtlpReceiver]:
    """Take what comes out of the collector, traces as Jaeger does, and keep it as it came."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def collector(store: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Run one by its defaults, but for the addresses."""
    with Collector(tmp_path_factory.mktemp("collector"), store.endpoint) as collector:
        yield collector


def passed(collector: Collector, store: OtlpReceiver, one: dict[str, Any], **resource: str) -> Any:
    """Send a span through and return it as it comes out."""
    answer = send(collector.otlp_endpoint, "traces", traces([one], RESOURCE | resource))
    assert answer.verdict is Verdict.ACCEPTED, answer
    wanted = bytes.fromhex(one["spanId"])

    def arrived() -> Any:
        return next((came for came in list(store.spans) if came.span.span_id == wanted), None)

    return wait_for(arrived, "span behind the collector", ARRIVAL_S)


def test_the_settings_are_valid() -> None:
    """By the collector's own check, with every default, and with logs sent on."""
    for variables in ({}, {"COLLECTOR_LOGS_EXPORTER": "otlp_http/logs"}):
        checked = validated(**variables)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_every_variable_is_explained() -> None:
    """At the head of the file, each that is used there, and no other."""
    text = SETTINGS.read_text()
    used = set(re.findall(r"\$\{env:(\w+):-", text))
    assert set(re.findall(r"^# {5}([A-Z_]{5,})\b", text, re.MULTILINE)) == used
    assert text.count("${env:") == len(re.findall(r"\$\{env:\w+:-[^}]+\}", text))


def test_the_tests_run_the_version_that_the_image_has(collector_program: Path) -> None:
    """The one that docker-compose.yml runs."""
    image = "otel/opentelemetry-collector-contrib:"
    named = [
        re.findall(rf"{image}(\S+)", (ROOT / name).read_text())
        for name in ("otel-collector.yaml", "docker-compose.yml")
    ]
    said = subprocess.run(
        [collector_program, "--version"], capture_output=True, text=True, check=True
    )
    version = said.stdout.split()[-1]
    assert named == [[version], [version]]
    go = (ROOT / "tests/servers/collector/go.mod").read_text()
    assert f"go.opentelemetry.io/collector/otelcol v{version}" in go
    assert set(re.findall(r"opentelemetry-collector-contrib/\S+/\S+ v(\S+)", go)) == {version}


def test_settings_that_are_not_valid_are_refused() -> None:
    """So that the test above says something."""
    checked = validated(COLLECTOR_LOGS_EXPORTER="file/elsewhere")
    assert checked.returncode != 0
    assert "file/elsewhere" in checked.stderr


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_a_secret_does_not_pass(secret: Planted, collector: Collector, store: OtlpReceiver) -> None:
    """In a span's name, message, attributes, lists and events, in a resource, beside a prompt."""
    texts = {"note": f"before {secret.text}", "several": ["before", secret.text]}
    one = span(
        uuid4().hex,
        f"stage {secret.text}",
        attributes=attributes({"prompt": PROMPT, "count": 5, **texts}),
        events=[{"name": "exception", "attributes": attributes(texts)}],
        status={"code": 2, "message": f"before {secret.text}"},
    )
    came = passed(collector, store, one, note=secret.text)
    written = f"{came.span} {came.resource}"
    assert [part for part in secret.parts if part in written] == []
    assert (came.attributes["prompt"], came.attributes["count"]) == (PROMPT, 5)
    assert came.span.status.message.startswith("before ")
    masked = came.attributes["redaction.masked.keys"].split(",")
    assert masked == ["note", "several", "span.name", "span.status"]
    assert "note" in came.resource["redaction.masked.keys"]
    assert came.attributes["redaction.masked"] is True


@pytest.mark.parametrize("where", ["attributes", "events", "resource"])
def test_a_span_says_that_something_of_it_was_hidden(
    where: str, collector: Collector, store: OtlpReceiver
) -> None:
    """Wherever that was: Jaeger searches by attributes of spans alone."""
    note = {"note": SECRETS[0].text}
    spans: dict[str, dict[str, Any]] = {
        "attributes": {"attributes": attributes(note)},
        "events": {"events": [{"name": "exception", "attributes": attributes(note)}]},
        "resource": {},
    }
    resource = note if where == "resource" else {}
    came = passed(collector, store, span(uuid4().hex, **spans[where]), **resource)
    assert came.attributes["redaction.masked"] is True


def test_no_secret_is_logged_or_kept(collector: Collector) -> None:
    """Neither in the file of logs nor in the queue nor in what the collector says itself."""
    sent = logs([PROMPT, *(f"before {secret.text}" for secret in SECRETS)])
    assert send(collector.otlp_endpoint, "logs", sent).verdict is Verdict.ACCEPTED
    files = [path for path in collector.folder.rglob("*") if path.is_file()]
    assert collector.logs in files
    for path in files:
        written = path.read_bytes()
        found = [s.name for s in SECRETS for part in s.parts if part.encode() in written]
        assert found == [], path
    assert PROMPT in collector.logs.read_text()
    assert collector.logs.read_text().count("before ") >= 2 * len(SECRETS)


@pytest.mark.parametrize(
    "key", ["api_key", "http.request.header.authorization", "db.password", "app.accessToken"]
)
def test_an_attribute_that_is_named_for_a_secret_is_hidden(
    key: str, collector: Collector, store: OtlpReceiver
) -> None:
    """Whatever its value; what is named for a prompt, or counts tokens, is not."""
    plain = {"prompt_token_count": 77, "loop26.param.key": "seed", "negative_prompt": PROMPT}
    one = span(uuid4().hex, attributes=attributes({key: "swordfish", **plain}))
    found = passed(collector, store, one).attributes
    assert found[key] == HIDDEN
    assert {name: found[name] for name in plain} == plain


def test_what_the_first_line_has_hidden_stays_as_it_is(
    collector: Collector, store: OtlpReceiver
) -> None:
    """It says more: [redacted] in its place; and is no news."""
    texts = {f"note {number}": redacted(secret.text) for number, secret in enumerate(SECRETS)}
    known = {**texts, "api_key": "[redacted]", "prompt": PROMPT, "loop26.task.params": PROMPTS}
    one = span(uuid4().hex, attributes=attributes(known))
    assert passed(collector, store, one, token="[redacted]").attributes == known  # noqa: S106 - no secret


def test_spans_are_taken_by_grpc(collector: Collector, store: OtlpReceiver) -> None:
    """As other programs send them."""
    request = ExportTraceServiceRequest()
    made = request.resource_spans.add().scope_spans.add().spans.add()
    made.trace_id, made.span_id, made.name = uuid4().bytes, uuid4().bytes[:8], "by gRPC"
    with grpc.insecure_channel(collector.otlp_grpc) as channel:
        TraceServiceStub(channel).Export(request, timeout=60)
    store.wait_for(lambda: "by gRPC" in store.names, ARRIVAL_S)


def test_prometheus_finds_metrics_with_whose_they_are(collector: Collector) -> None:
    """Named by its conventions; service, instance and host are labels."""
    sent = gauge("loop26.queue.oldest_age", "s", 4.5)
    assert send(collector.otlp_endpoint, "metrics", sent).verdict is Verdict.ACCEPTED
    with urllib.request.urlopen(collector.prometheus_url, timeout=60) as answer:  # noqa: S310 - its own address
        lines = answer.read().decode().splitlines()
    (found,) = (one for one in lines if one.startswith("loop26_queue_oldest_age_seconds{"))
    assert found.endswith(" 4.5")
    for label in ('job="another"', 'instance="1"', 'host_name="its-host"'):
        assert label in found
    assert 'loop26_task_type="t2v"' in found


def test_it_says_how_it_is(collector: Collector, store: OtlpReceiver) -> None:
    """By its health check, by metrics of its own, and in JSON."""
    before = collector.own_metrics().get("otelcol_receiver_accepted_spans", 0)
    passed(collector, store, span(uuid4().hex))
    assert answers(collector.health_url)
    told = collector.own_metrics()
    assert told["otelcol_receiver_accepted_spans"] == before + 1
    assert told["otelcol_exporter_queue_capacity"] == 2**30
    assert {"otelcol_exporter_queue_size", "otelcol_process_memory_rss"} <= set(told)
    assert all(line.startswith("{") for line in collector.log.splitlines()[1:])


@pytest.fixture
def refusing(store: OtlpReceiver) -> Iterator[OtlpReceiver]:
    """Have what is behind the collector say "not now" to all, for the length of a test."""
    store.answer_by(lambda _path, _body: Reply(503))
    yield store
    store.answer_by(None)


def refused(collector: Collector, made: Callable[[], dict[str, Any]]) -> tuple[set[bytes], str]:
    """Send spans until one is refused; return the ids of those before it, and why."""
    accepted: set[bytes] = set()
    while True:
        one = made()
        answer = send(collector.otlp_endpoint, "traces", traces([one]))
        if answer.verdict is not Verdict.ACCEPTED:
            assert answer.verdict is Verdict.LATER
            return accepted, answer.reason
        accepted.add(bytes.fromhex(one["spanId"]))


def test_a_full_queue_is_said_and_holds_what_it_took(
    refusing: OtlpReceiver, tmp_path: Path
) -> None:
    """A worker hears "later" and keeps the rest; the queue is emptied when that is possible."""
    with Collector(tmp_path, refusing.endpoint, COLLECTOR_QUEUE_BYTES="10000") as collector:
        accepted, why = refused(collector, lambda: span(uuid4().hex))
        assert "503" in why
        assert "queue is full" in why
        assert len(accepted) > 20
        assert answers(collector.health_url)
        refusing.answer_by(None)
        refusing.wait_for(
            lambda: accepted <= {came.span.span_id for came in refusing.spans}, ARRIVAL_S
        )


def test_too_little_memory_is_said(store: OtlpReceiver, tmp_path: Path) -> None:
    """A worker hears "later" instead of the collector being killed."""
    with Collector(tmp_path, store.endpoint, COLLECTOR_MEMORY_MIB="5") as collector:
        _, why = refused(collector, lambda: span(uuid4().hex))
        assert "503" in why
        assert "memory" in why
        assert answers(collector.health_url)


def test_what_jaeger_refuses_for_good_is_counted_and_said(
    store: OtlpReceiver, tmp_path: Path
) -> None:
    """It is not sent again; what comes after it is."""
    store.answer_next(Reply(400))
    with Collector(tmp_path, store.endpoint) as collector:
        lost = span(uuid4().hex)
        send(collector.otlp_endpoint, "traces", traces([lost]))
        counter = "otelcol_exporter_send_failed_spans"
        wait_for(lambda: collector.own_metrics().get(counter) == 1, "refusal", ARRIVAL_S)
        passed(collector, store, span(uuid4().hex))
        assert "Dropping data" in collector.log
    assert bytes.fromhex(lost["spanId"]) not in {came.span.span_id for came in store.spans}


def test_logs_go_to_a_store_instead(store: OtlpReceiver, tmp_path: Path) -> None:
    """Where a variable says so, as surely as traces go to Jaeger."""
    elsewhere = {
        "COLLECTOR_LOGS_EXPORTER": "otlp_http/logs",
        "LOGS_OTLP_ENDPOINT": store.endpoint,
    }
    store.answer_next(Reply(503))
    with Collector(tmp_path, store.endpoint, **elsewhere) as collector:
        sent = logs(["a line for the store"])
        assert send(collector.otlp_endpoint, "logs", sent).verdict is Verdict.ACCEPTED
        store.wait_for(lambda: bool(store.logs), ARRIVAL_S)
        assert not collector.logs.exists()
    assert [came.record.body.string_value for came in store.logs] == ["a line for the store"]
