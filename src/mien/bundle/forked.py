"""Let forked children live with the sessions of ONNX Runtime that their parent opened.

A session has threads, which a forked child does not have: the child would wait for them for ever
when it calls or releases the session.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, Protocol


class SessionHolder(Protocol):
    """An object with a session that it can open again."""

    def give_up_session(self) -> Any:
        """Return the session and open another when one is needed; None if none is open."""


_holders: weakref.WeakSet[Any] = weakref.WeakSet()


def reopen_after_fork(holder: SessionHolder) -> None:
    """Make a forked child open the session of a holder anew when it needs it."""
    _holders.add(holder)


def _after_fork() -> None:
    for holder in list(_holders):
        session = holder.give_up_session()
        if session is not None:
            # One reference more than Python knows of: the child never releases the session.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
