"""Turn Ctrl-C and SIGTERM into a request to stop, so that work ends with complete files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# A terminal sends the first, a cluster the second. Windows has no way to send these to a single
# process, but Ctrl-Break, which reaches a process with a group of its own.
SIGNALS: Final[tuple[signal.Signals, ...]] = (
    signal.SIGINT,
    signal.SIGTERM,
    *(one for one in signal.Signals if one.name == "SIGBREAK"),
)


class StopRequest:
    """A request to stop; calling it returns whether it has been made."""

    def __init__(self) -> None:
        self._asked = threading.Event()  # other threads may call this one

    def __call__(self) -> bool:
        """Return whether Ctrl-C or SIGTERM has requested a stop."""
        return self._asked.is_set()

    def listen(self) -> None:
        """Install the handlers of both signals; a no-op outside the main thread.

        Call it again to take the signals back from a library that has installed its own handlers.
        """
        if _in_main_thread():
            for number in SIGNALS:
                signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()


@contextmanager
def asked_to_stop() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C or SIGTERM of a block into a request; the second stops it at once.

    The previous handlers are restored when the block ends. Outside the main thread, which alone
    receives signals, nothing is changed and the request is never made.

    Yields:
        The request, to be called between two steps of the work.

    Raises:
        KeyboardInterrupt: at the second signal.
    """
    request = StopRequest()
    if not _in_main_thread():
        yield request
        return
    before = [signal.getsignal(number) for number in SIGNALS]
    request.listen()
    try:
        yield request
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            # None stands for a handler that was not installed from Python and cannot be restored
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
