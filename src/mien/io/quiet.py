"""Silence the log messages and warnings of other libraries for the duration of a block."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_logger(*names: str, warnings_of: str = "") -> Iterator[None]:
    """Let loggers pass only errors inside this block; their levels are restored at its end.

    Args:
        names: names of the loggers; an empty string for the root logger.
        warnings_of: regular expression of the modules whose warnings are ignored; empty for none.
    """
    loggers = [logging.getLogger(name) if name else logging.getLogger() for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            if warnings_of:
                warnings.filterwarnings("ignore", module=warnings_of)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
