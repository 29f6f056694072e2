"""The fresh process: a task process that does one task, and then may stop where it failed.

It is told by its order and by nobody else. Its journal is in the replay's own folder, which nobody
ships, and its outputs are.
"""

import faulthandler
import pdb  # noqa: T100 - to stop in it is what `--pdb` asks for
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from telemetry.recorder.exceptions import message
from telemetry.reports.wording import printable
from worker.engines.base import Engine
from worker.messages import Channel, TroubleTeller
from worker.observer import ChannelObserver
from worker.output.storage import LocalStorage
from worker.process import TaskProcess, begin, ready_engine
from worker.replay import order as orders
from worker.replay.order import Order
from worker.replay.restored import RestoredDefaults
from worker.task import Claim, Outcome


@dataclass(slots=True)
class ReplayProcess(TaskProcess):
    """A task process that keeps what its task has raised."""

    raised: BaseException | None = None

    def handle(self, claim: Claim, observer: ChannelObserver) -> Outcome:
        """Do the task."""
        try:
            # Not by super(): a class with slots is another one than the one that was written.
            return TaskProcess.handle(self, claim, observer)
        except BaseException as exc:
            self.raised = exc
            raise


def main(argv: list[str]) -> int:
    """Run the order in a file (the second argument); tell over a socket (the first)."""
    end = socket.socket(fileno=int(argv[1]))
    end.set_inheritable(False)
    order = orders.read(Path(argv[2]))
    channel = Channel.of_task_process(end)
    recorder, leaves_stacks = begin(order.configure, channel)
    engine = ready_engine(order.configure, channel, recorder)
    if isinstance(engine, int):
        recorder.close(exit_code=engine)
        return engine
    process = ReplayProcess(
        configure=order.configure,
        channel=TroubleTeller(channel, recorder),
        engine=_restored(engine, order),
        recorder=recorder,
        storage=LocalStorage(Path(order.configure.outputs)),
        leaves_stacks=leaves_stacks,
    )
    process.run(order.claim)
    recorder.close()
    if order.stop and process.raised is not None:
        _stop_at(process.raised)
    return 0


def _restored(engine: Engine, order: Order) -> Engine:
    """Have an engine answer with the defaults that are recorded, where they could be restored."""
    if order.defaults is None:
        return engine
    values = dict(order.defaults.values)
    return RestoredDefaults(engine, model=order.defaults.model, defaults=values)


def _stop_at(exc: BaseException) -> None:
    """Stop in the frame that raised; a Ctrl-C is the debugger's again, and ends nothing."""
    faulthandler.unregister(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = printable(f"{type(exc).__name__}: {message(exc)}")
    sys.stdout.write(f"\n{said}\n`p NAME` shows a value, `u` goes to the caller, `q` leaves\n")
    pdb.post_mortem(exc.__traceback__)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
