"""What other libraries print or warn of their own workings, kept from the user for a while."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_logger(*names: str, warnings_of: str = "") -> Iterator[None]:
    """Let loggers pass nothing below an error inside this block; their levels are then put back.

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
