"""The engines that must keep the contract, and what each promises beyond what all do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from worker.engines.base import Engine

if TYPE_CHECKING:
    from tests.standins.checkouts import Kind

# What an engine may promise; a test that needs one of them is run for those that do.
PICTURES: Final = "pictures"  # its model is image to video: its video is of what it is given
TEXT: Final = "text"  # it has a model that is text to video
WORDS: Final = "words"  # its video is of what it is asked: the prompt, the seed, the guidance
LORAS: Final = "loras"
CHECKOUT: Final = "checkout"  # it drives a stand-in checkout, which writes down what arrives
PROMISES: Final = (PICTURES, TEXT, WORDS, LORAS, CHECKOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An engine under test.

    Attributes:
        name: Of the tests' parameter.
        make: Makes the engine, in a folder of its own.
        model: The model that generates.
        others: More models that it has; the first is text to video, where it promises one.
        promises: What it does beyond what all do.
        loras: Makes two LoRA files in a folder.
    """

    name: str
    make: Callable[[Path], Engine]
    model: str
    others: tuple[str, ...]
    promises: frozenset[str] = frozenset()
    loras: Callable[[Path], tuple[Path, ...]] = lambda _folder: ()

    def __str__(self) -> str:
        """Return its name, which is its tests'."""
        return self.name


def _diffusers(folder: Path) -> Engine:
    from worker.engines.catalog import Catalog
    from worker.engines.diffusers_wan import DiffusersWanEngine

    return DiffusersWanEngine(Catalog.load(), models_dir=folder, device="cpu", threads=1)


def _tiny_loras(folder: Path) -> tuple[Path, ...]:
    from worker.engines.tiny import build_tiny_loras

    return build_tiny_loras(folder)[:2]


def _drill(_folder: Path) -> Engine:
    from worker.engines.drill import DrillEngine

    return DrillEngine(device="cpu")


def of_checkout(kind: "Kind") -> Subject:
    """Return the engine that drives a stand-in checkout: one in a process, as it is imported."""

    def make(folder: Path) -> Engine:
        from tests.standins.checkouts import make_checkout
        from worker.engines.wan2gp.engine import Wan2gpEngine

        checkout = make_checkout(kind, folder / "checkout")
        return Wan2gpEngine(
            checkout=str(checkout.root),
            config="",
            args=[],
            outputs=str(folder / "outputs"),
            device="cpu",
        )

    return Subject(
        name=kind,
        make=make,
        model="two_expert_standin",
        others=("t2v_standin", "i2v_standin"),
        promises=frozenset(PROMISES),
        loras=_painted_loras,
    )


def _painted_loras(folder: Path) -> tuple[Path, ...]:
    """Make files that no stand-in reads: it goes by their names."""
    paths = tuple(folder / name for name in ("one.safetensors", "other.safetensors"))
    for path in paths:
        path.write_bytes(b"")
    return paths


OURS: Final = (
    Subject(
        name="diffusers",
        make=_diffusers,
        model="tiny_i2v",
        others=("tiny_t2v",),
        promises=frozenset({PICTURES, TEXT, WORDS, LORAS}),
        loras=_tiny_loras,
    ),
    Subject(name="drill", make=_drill, model="drill_nothing", others=("drill_exception",)),
)
