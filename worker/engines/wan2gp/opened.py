"""A checkout that has been imported, and all that stands around the calls into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from worker.engines.wan2gp.api import Api
from worker.engines.wan2gp.checkout import Checkout
from worker.engines.wan2gp.functions import ModuleFunctions
from worker.engines.wan2gp.habits import Left, contained
from worker.engines.wan2gp.leftovers import Baseline
from worker.engines.wan2gp.loading import Loader
from worker.engines.wan2gp.results import OutputFolder
from worker.engines.wan2gp.session import OfficialSession, official
from worker.engines.wan2gp.streams import logged_output
from worker.engines.wan2gp.writers import Writers


class Opened:
    """A checkout that has been imported.

    Attributes:
        left: What calls have changed in the process, until the next task is told.
    """

    def __init__(self, checkout: Checkout, outputs: OutputFolder, api: Api) -> None:
        self.checkout = checkout
        self.outputs = outputs
        self.api = api
        self.loader = Loader(api.module)
        self.baseline = Baseline(api.module, checkout.root)
        # Last: its hook cannot be taken away, and this may be tried again.
        self.writers = Writers(checkout.root, outputs.path)
        self.left: list[str] = []

    @classmethod
    def at(cls, root: Path, *, config: Path | None, args: tuple[str, ...], outputs: Path) -> Self:
        """Import the checkout in a folder; which of the two ways it is called is found by looking.

        Raises `CheckoutUnusable`.
        """
        folder = OutputFolder(outputs, root)
        checkout = Checkout(root=root, config=config, args=args, outputs=folder.path)
        shared = official(checkout)
        api: Api = OfficialSession(checkout, shared) if shared else ModuleFunctions(checkout)
        return cls(checkout, folder, api)

    @contextmanager
    def inside(self) -> Iterator[Left]:
        """Call into it: its habits end with the block, and what it prints is logged."""
        left = Left()
        try:
            with contained(self.checkout.root, argv=self.checkout.argv) as left, logged_output():
                yield left
        finally:
            self.left += left.texts

    def found(self) -> list[str]:
        """Say what the last task has left changed, once, and put back what is not yet."""
        left, self.left = self.left, []
        left += self.baseline.put_back()
        return left + ["the abort flag was set (put back)"] * self.api.leftover_abort()

    def defaults(self, model: str) -> tuple[dict[str, Any], list[str]]:
        """Return the defaults of a model that is known, and what had been changed in them."""
        module = self.api.module
        return self.baseline.defaults(model, lambda: module.get_default_settings(model))
