"""The wall between telemetry and a task: a fault of telemetry never reaches the task."""

import sys
from types import TracebackType


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
    ) -> bool:
        return kind is not None and self._counted(kind, trace)

    def contain(self, fault: Exception) -> None:
        """Do what the `with` block does, where the block's cost would show: in what runs often."""
        if not self._counted(type(fault), fault.__traceback__):
            raise fault

    def _counted(self, kind: type[BaseException], trace: TracebackType | None) -> bool:
        if not issubclass(kind, Exception):
            return False
        self.faults += 1
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        self.last = f"{kind.__name__}{where}"
        return "pytest" not in sys.modules
