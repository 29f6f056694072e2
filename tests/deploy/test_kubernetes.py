"""The manifests: held against Kubernetes' own schemas, and against what loop26 asks of a host."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.conftest import Checked
from tests.deploy.files import (
    BASE,
    SCALING,
    container,
    image,
    kustomization,
    manifest,
    manifests,
    variables,
)
from tests.servers.cache import ROOT
from worker.composition import SHIP_AT_EXIT_S
from worker.supervisor.health import STALE_AFTER_S
from worker.supervisor.keeper import EXIT_WAIT_S, KILL_WAIT_S

DEPLOYMENTS = ("worker", "collector")
# The oldest that is still seen, and the newest that there is a schema for.
KUBERNETES = ("1.30", "1.37")

# KEDA's resources have no schema among Kubernetes'. These are written after KEDA's definitions, as
# far as the manifests use them; what is not named here is refused.
_NUMBER = {"type": "integer", "minimum": 0}
_SCALED_OBJECT = {
    "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {
            "required": ["name"],
            "properties": {"name": {"type": "string"}},
            "additionalProperties": False,
        },
        "minReplicaCount": _NUMBER,
        "maxReplicaCount": _NUMBER,
        "pollingInterval": _NUMBER,
        "cooldownPeriod": _NUMBER,
        "advanced": {
            "properties": {
                "horizontalPodAutoscalerConfig": {
                    "properties": {
                        "behavior": {
                            "properties": {
                                "scaleDown": {
                                    "properties": {"stabilizationWindowSeconds": _NUMBER},
                                    "additionalProperties": False,
                                }
                            },
                            "additionalProperties": False,
                        }
                    },
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
        "triggers": {
            "type": "array",
            "items": {
                "required": ["type", "metadata"],
                "properties": {
                    "type": {"const": "postgresql"},
                    "metricType": {"enum": ["AverageValue", "Value"]},
                    # Of the PostgreSQL scaler; every value is a text.
                    "metadata": {
                        "required": ["query", "targetQueryValue"],
                        "properties": {
                            "query": {"type": "string"},
                            "targetQueryValue": {"type": "string", "pattern": r"^[0-9.]+$"},
                        },
                        "additionalProperties": False,
                    },
                    "authenticationRef": {
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}},
                        "additionalProperties": False,
                    },
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
_TRIGGER_AUTHENTICATION = {
    "properties": {
        "secretTargetRef": {
            "type": "array",
            "items": {
                "required": ["parameter", "name", "key"],
                "properties": {"parameter": {"const": "connection"}, "name": {}, "key": {}},
                "additionalProperties": False,
            },
        }
    },
    "additionalProperties": False,
}
KEDA = {"ScaledObject": _SCALED_OBJECT, "TriggerAuthentication": _TRIGGER_AUTHENTICATION}


def pod(name: str) -> dict[str, Any]:
    """Return what a Deployment says of its pods."""
    return dict(manifest("Deployment", name)["spec"]["template"]["spec"])


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_object(tools: Checked, version: str) -> None:
    """Strictly: what a schema does not know is refused."""
    files = [BASE / name for name in kustomization(BASE)["resources"]]
    done = tools("kubernetes-validate", "-k", version, "--strict", *files, cwd=ROOT)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count(" passed for resource ") == len(
        [each for each in manifests() if each["kind"] not in KEDA]
    )


def test_keda_takes_its_objects() -> None:
    """By a schema of our own, of the parts that are used."""
    found = [each for each in manifests() if each["kind"] in KEDA]
    assert len(found) == 2
    for each in found:
        assert each["apiVersion"] == "keda.sh/v1alpha1"
        jsonschema.validate(each["spec"], KEDA[each["kind"]])


def test_the_kustomizations_name_files_that_are_there() -> None:
    """And the collector's settings are those that everybody else has."""
    for folder in (BASE, SCALING):
        for name in kustomization(folder)["resources"]:
            assert (folder / name).exists(), name
    made = {each["name"]: each for each in kustomization(BASE)["configMapGenerator"]}
    assert [(BASE / name).resolve() for name in made["otel-collector"]["files"]] == [
        ROOT / "otel-collector.yaml"
    ]
    for name in ("loop26-settings", "collector-settings"):
        [file] = made[name]["envs"]
        assert variables(str(BASE / file))


def test_every_settings_map_that_is_named_is_made() -> None:
    """What kustomize does not make would be waited for, for ever."""
    made = {each["name"] for each in kustomization(BASE)["configMapGenerator"]}
    text = json.dumps([pod(name) for name in DEPLOYMENTS])
    named = {
        reference["name"]
        for name in DEPLOYMENTS
        for reference in (
            *(each["configMapRef"] for each in container(name).get("envFrom", [])),
            *(each["configMap"] for each in pod(name)["volumes"] if "configMap" in each),
        )
    }
    assert named == made
    assert '"configMapKeyRef": {"name": "loop26-settings", "key": "LOOP26_STORAGE"}' in text


def test_a_worker_has_one_gpu_and_its_memory() -> None:
    """A GPU cannot be shared; memory that is not promised is taken away."""
    resources = container("worker")["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == "1"
    assert resources["limits"]["memory"] == resources["requests"]["memory"]


def test_kubernetes_waits_for_longer_than_a_worker_takes_to_end() -> None:
    """Its grace, a task process that has to be killed, and the last shipping."""
    grace_s = float(variables(str(BASE / "settings.env"), unset=False)["LOOP26_GRACE_S"])
    needed_s = grace_s + EXIT_WAIT_S + KILL_WAIT_S + SHIP_AT_EXIT_S
    assert pod("worker")["terminationGracePeriodSeconds"] > needed_s


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_a_probe_asks_what_the_image_asks(probe: str) -> None:
    """By a command: a worker has no port."""
    command = container("worker")[probe]["exec"]["command"]
    assert image("HEALTHCHECK").endswith(f"CMD {json.dumps(command)}")


def test_a_worker_is_not_ended_before_its_status_is_old() -> None:
    """One look that fails is none."""
    probe = container("worker")["livenessProbe"]
    assert probe["failureThreshold"] >= 3
    assert probe["periodSeconds"] * probe["failureThreshold"] > STALE_AFTER_S


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_a_worker_that_is_stuck_is_not_waited_for(probe: str) -> None:
    """It hears no signal; what it had in hand waits for the next one."""
    waited_s = container("worker")[probe]["terminationGracePeriodSeconds"]
    assert waited_s < pod("worker")["terminationGracePeriodSeconds"] / 10


def test_a_new_version_waits_for_no_gpu() -> None:
    """The old pod goes first."""
    rolling = manifest("Deployment", "worker")["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 0, "maxUnavailable": 1}


def test_the_autoscaler_alone_says_how_many_workers_there_are() -> None:
    """Applied again, a number in the manifest would undo what it has done."""
    assert "replicas" not in manifest("Deployment", "worker")["spec"]
    target = manifest("ScaledObject", "worker")["spec"]["scaleTargetRef"]
    assert target == {"name": manifest("Deployment", "worker")["metadata"]["name"]}


def test_what_a_worker_writes_lies_where_the_image_says() -> None:
    """In volumes that outlive the container; the root is read-only."""
    mounts = {each["mountPath"] for each in container("worker")["volumeMounts"]}
    assert mounts == {*json.loads(image("VOLUME")), "/tmp"}  # noqa: S108 - the container's own
    assert {each["name"] for each in container("worker")["volumeMounts"]} == {
        each["name"] for each in pod("worker")["volumes"]
    }


def test_the_collectors_queue_outlives_its_pod() -> None:
    """Where its settings have it: it holds what workers were told is safe."""
    settings = yaml.safe_load((ROOT / "otel-collector.yaml").read_text())
    directory = settings["extensions"]["file_storage"]["directory"]
    [mount] = [each for each in container("collector")["volumeMounts"] if each["name"] == "queue"]
    assert f":-{mount['mountPath']}/" in directory
    [volume] = [each for each in pod("collector")["volumes"] if each["name"] == "queue"]
    claim = volume["persistentVolumeClaim"]["claimName"]
    assert manifest("PersistentVolumeClaim", claim)
    assert manifest("Deployment", "collector")["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_keeps_to_what_its_namespace_enforces(name: str) -> None:
    """The standard that Kubernetes calls restricted."""
    labels = manifest("Namespace", "loop26")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    of_pod, of_container = pod(name)["securityContext"], container(name)["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] == 10001
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container["allowPrivilegeEscalation"] is False
    assert of_container["capabilities"] == {"drop": ["ALL"]}
    assert of_container["readOnlyRootFilesystem"] is True
    kinds = {kind for volume in pod(name)["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"emptyDir", "configMap", "persistentVolumeClaim"}
    assert pod(name)["automountServiceAccountToken"] is False


def test_workers_find_the_collector() -> None:
    """By the name and the port of its Service."""
    endpoint = variables(str(BASE / "settings.env"))["OTEL_EXPORTER_OTLP_ENDPOINT"]
    service = manifest("Service", "collector")
    ports = {each["name"]: each["port"] for each in service["spec"]["ports"]}
    assert endpoint == f"http://{service['metadata']['name']}:{ports['otlp-http']}"
    selected = service["spec"]["selector"].items()
    assert selected <= manifest("Deployment", "collector")["metadata"]["labels"].items()
    named = {each["name"]: each["containerPort"] for each in container("collector")["ports"]}
    assert {each["targetPort"] for each in service["spec"]["ports"]} <= set(named)
    assert {
        each["name"]: each["port"] for each in service["spec"]["ports"]
    }.items() <= named.items()
