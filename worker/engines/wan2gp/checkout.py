"""The operator's checkout: where it lies, and its module, imported as it expects to be."""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import Any, Final

from worker.engines.wan2gp.errors import CheckoutUnusable
from worker.engines.wan2gp.habits import contained
from worker.engines.wan2gp.streams import logged_output
from worker.engines.wan2gp.versions import commit_of, version_of

MODULE: Final = "wgp"
SESSION_FILE: Final = Path("shared") / "api.py"
SESSION_MODULE: Final = "shared.api"
# A module of that name which has not both is something else.
SESSION_NAMES: Final = ("init", "WanGPSession")
# The function that generates; of a checkout that has both, the first is called.
ENTRIES: Final = ("generate_media", "generate_video")
# A process has one module of a name, and these are loaded before any of a checkout's.
_OWN_NAMES: Final = ("worker", "telemetry")
CONFIG_FILE: Final = "wgp_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout as the settings name it.

    Attributes:
        root: Its folder, which holds wgp.py.
        config: The folder that holds wgp_config.json, where it is not the root.
        args: What its command line is given.
        outputs: The folder that it is told to write its videos into.
    """

    root: Path
    config: Path | None
    args: tuple[str, ...]
    outputs: Path

    @property
    def argv(self) -> list[str]:
        """The command line that it finds when it is imported: it reads that at once."""
        given = [f"{MODULE}.py", *self.args]
        return given if self.config is None else [*given, "--config", str(self.config)]

    @property
    def config_file(self) -> Path:
        """Its configuration, whether it is there or not."""
        return (self.config or self.root) / CONFIG_FILE

    @property
    def has_session(self) -> bool:
        """Whether it has what may be the official session."""
        return (self.root / SESSION_FILE).is_file()

    def find(self, name: str) -> Any:
        """Import one of its modules. Raises `CheckoutUnusable`, from what it has raised itself."""
        for own in _OWN_NAMES:
            if (self.root / own).exists() or (self.root / f"{own}.py").exists():
                raise CheckoutUnusable(
                    self.root, f"has a module {own!r}, which is loop26's own name; rename it there"
                )
        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        with self.importing():
            return importlib.import_module(name)

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Import in the block. Whatever that raises is a `CheckoutUnusable`, raised from it."""
        try:
            with contained(self.root, argv=self.argv), logged_output():
                yield
        except CheckoutUnusable:
            raise
        except BaseException as exc:
            said = str(exc) or "it said nothing more"
            raise CheckoutUnusable(
                self.root,
                f"cannot be imported: {type(exc).__name__}: {said}{self._where(exc)}; its command "
                "line is "
                f"{json.dumps(self.argv)}, which wan2gp_args and wan2gp_config say; "
                "`loop26 doctor` looks at it",
            ) from exc

    def _where(self, exc: BaseException) -> str:
        """Say at which of its lines an exception is from; "" where that is none of them."""
        if isinstance(exc, SyntaxError) and exc.filename:  # of a file that has no frame
            return f", at {exc.filename}:{exc.lineno}"
        own = [
            (frame.f_code, line)
            for frame, line in walk_tb(exc.__traceback__)
            if frame.f_code.co_filename.startswith(f"{self.root}{os.sep}")
        ]
        if not own:
            return ""
        code, line = own[-1]
        return f", at {code.co_filename}:{line} in {code.co_qualname}"

    def facts(self, module: Any) -> dict[str, Any]:
        """Return what a report should know of it."""
        return {
            "checkout": str(self.root),
            "version": version_of(module),
            "commit": commit_of(self.root),
        }
