"""The catalogue of models."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.engines.catalog import Catalog, fresh_defaults
from worker.errors import SettingsError, UnknownModel

INCIDENT = "wan_2_2_i2v_lightning_baseline_2_2_2"
INCIDENT_DEFAULTS = Path(__file__).parents[2] / "data" / "incident_defaults.json"
SHIPPED = ("shapes_i2v", "tiny_i2v", "tiny_t2v", "wan_2_2_i2v", INCIDENT, "wan_2_2_t2v")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Return the catalogue as shipped."""
    return Catalog.load()


@pytest.fixture
def definition() -> dict[str, Any]:
    """Return what a right definition file named mine.json holds."""
    return {
        "name": "mine",
        "engine": "diffusers",
        "kind": "i2v",
        "title": "Mine",
        "weights": "folder/of/mine",
        "fps": 16,
        "defaults": {"seed": -1},
    }


def _write(folder: Path, content: Any, name: str = "mine") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_ships_these_models(catalog: Catalog) -> None:
    """The shipped names are these, sorted."""
    assert catalog.names() == tuple(sorted(SHIPPED))


def test_incident_defaults_are_the_incidents(catalog: Catalog) -> None:
    """The incident's model has its 32 defaults: values, types and order."""
    text = json.dumps(dict(catalog.get(INCIDENT).defaults))
    assert text == json.dumps(json.loads(INCIDENT_DEFAULTS.read_text()))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_has_the_32_keys_in_order(catalog: Catalog, name: str) -> None:
    """The parameter loop walks the same 32 keys for every shipped model."""
    assert list(catalog.get(name).defaults) == list(json.loads(INCIDENT_DEFAULTS.read_text()))


def test_two_phase_models_have_the_published_values(catalog: Catalog) -> None:
    """Shift, guidance, steps and boundary are those of Wan's own configuration."""
    keys = (
        "flow_shift", "guidance_scale", "guidance2_scale", "num_inference_steps", "switch_threshold"
    )  # fmt: skip
    found = {
        name: tuple(catalog.get(name).defaults[key] for key in keys)
        for name in ("wan_2_2_i2v", "wan_2_2_t2v")
    }
    assert found == {
        "wan_2_2_i2v": (5, 3.5, 3.5, 40, 900),
        "wan_2_2_t2v": (12, 4, 3, 40, 875),
    }


@pytest.mark.parametrize("name", ["", None, 7, "wan_2_3", ["tiny_i2v"]])
def test_unknown_name_is_refused(catalog: Catalog, name: object) -> None:
    """A name that is none, "" and None too, is refused with the value."""
    with pytest.raises(UnknownModel, match="unknown model") as caught:
        catalog.get(name)
    assert repr(name) in str(caught.value)


def test_unknown_name_is_met_with_the_nearest(catalog: Catalog) -> None:
    """A typing error is answered with what was meant."""
    with pytest.raises(UnknownModel, match="did you mean 'wan_2_2_i2v'"):
        catalog.get("wan_22_i2v")


def test_operators_folder_adds_a_model(tmp_path: Path, definition: dict[str, Any]) -> None:
    """A definition in an operator's folder is found beside the shipped ones."""
    loaded = Catalog.load([_write(tmp_path / "models", definition)])
    assert loaded.get("mine").weights == "folder/of/mine"
    assert set(SHIPPED) < set(loaded.names())


def test_operators_definition_replaces_a_shipped_one(
    tmp_path: Path, definition: dict[str, Any]
) -> None:
    """An operator can point a shipped model at weights of their own."""
    mine = definition | {"name": "wan_2_2_i2v"}
    loaded = Catalog.load([_write(tmp_path / "models", mine, "wan_2_2_i2v")])
    assert loaded.get("wan_2_2_i2v").weights == "folder/of/mine"


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(SettingsError, match="nowhere"):
        Catalog.load([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fps": "16"}, r"\$\.fps"),
        ({"fps": 0}, r"\$\.fps"),
        ({"kind": "v2v"}, r"\$\.kind"),
        ({"defaults": []}, r"\$\.defaults"),
        ({"defaults": {}}, r"\$\.defaults"),
        ({"defaults": {"steps": 4}}, "steps is another name of num_inference_steps"),
        ({"frame_stride": 0}, r"\$\.frame_stride"),
        ({"min_frames": 6}, "min_frames = 6"),
        ({"wieghts": "x"}, "wieghts"),
        ({"name": "other"}, "name = 'other'"),
        ({"name": "../mine"}, r"\$\.name"),
        ({"seed": 1}, "seed = 1"),
        ({"weights": ""}, "weights = ''"),
        ({"seed": -1, "weights": ""}, r"\$\.seed"),
    ],
)
def test_bad_definition_names_file_and_field(
    tmp_path: Path, definition: dict[str, Any], change: dict[str, Any], named: str
) -> None:
    """What is wrong with a definition is said in one line with the file and the field."""
    folder = _write(tmp_path / "models", definition | change)
    with pytest.raises(SettingsError, match=named) as caught:
        Catalog.load([folder])
    assert "mine.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_field_is_named(tmp_path: Path, definition: dict[str, Any]) -> None:
    """A field that is not there is named."""
    del definition["engine"]
    with pytest.raises(SettingsError, match=r"mine\.json.*`engine`"):
        Catalog.load([_write(tmp_path / "models", definition)])


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_file_that_is_no_definition_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that is no JSON, or another JSON, is refused by name."""
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(SettingsError, match=r"mine\.json"):
        Catalog.load([tmp_path])


def test_changed_defaults_do_not_reach_the_next_caller(catalog: Catalog) -> None:
    """What one task does to a list inside the defaults is not seen by the next."""
    definition = catalog.get(INCIDENT)
    fresh_defaults(definition)["slg_layers"].append(99)
    assert fresh_defaults(definition)["slg_layers"] == [9]


def test_defaults_are_read_only(catalog: Catalog) -> None:
    """A default cannot be overwritten."""
    with pytest.raises(TypeError):
        fresh_defaults(catalog.get(INCIDENT))["seed"] = 1  # type: ignore[index]  # the claim


def test_reading_the_catalogue_needs_no_torch() -> None:
    """The base install reads the catalogue: neither torch nor numpy is imported."""
    code = (
        "import sys; from worker.engines.catalog import Catalog; Catalog.load();"
        "print(sorted({'torch', 'numpy', 'diffusers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_model_may_take_a_text_and_pictures(tmp_path: Path, definition: dict[str, Any]) -> None:
    """Of an engine that has such."""
    folder = _write(tmp_path / "models", {**definition, "engine": "wan2gp", "kind": "ti2v"})
    assert Catalog.load([folder]).get("mine").kind == "ti2v"


def test_diffusers_has_none_of_both_kinds(tmp_path: Path, definition: dict[str, Any]) -> None:
    """It would run it as one of text alone."""
    folder = _write(tmp_path / "models", {**definition, "kind": "ti2v"})
    with pytest.raises(SettingsError, match="kind = 'ti2v' is none that the engine diffusers has"):
        Catalog.load([folder])
