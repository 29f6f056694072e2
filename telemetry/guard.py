"""The wall between telemetry and a task: a fault of telemetry never reaches the task."""

import sys
from types import TracebackType
from typing import Literal


class Guard:
    """Contains faults that happen inside `with guard:` and counts them; raises them under pytest.

    Only `Exception` is contained: a KeyboardInterrupt that happens to arrive in telemetry is the
    task's.

    Attributes:
        faults: How many were contained.
        last: What the last one was, "" when there was none.
    """

    __slots__ = ("faults", "last")

    def __init__(self) -> None:
        self.faults = 0
        self.last = ""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        # Typed as never swallowing, so that a type checker sees what follows the block as it is
        # in the absence of faults; callers that return from inside the block give a fallback.
        if kind is None:
            return False
        return self._contain(kind, trace)  # type: ignore[return-value]  # as said above

    def _contain(self, kind: type[BaseException], trace: TracebackType | None) -> bool:
        if not issubclass(kind, Exception):
            return False
        self.faults += 1
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        self.last = f"{kind.__name__}{where}"
        return "pytest" not in sys.modules
