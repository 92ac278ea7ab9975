"""Logs of the service: a line of JSON for each event, without any image and any address."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

LOGGER: Final = "mien.service"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, with the members of ``extra={"about": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)  # in ASCII: a terminal obeys nothing in it


class NoConnections(logging.Filter):
    """Leaves out uvicorn's lines on WebSockets, which hold addresses and queries."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        return not (
            record.name.startswith("uvicorn")
            and record.levelno <= logging.INFO
            and ("WebSocket" in str(record.msg) or str(record.msg).startswith("connection "))
        )


def configuration() -> dict[str, Any]:
    """Return the configuration of logging, for this service and for uvicorn, on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "mien.service.logs.JsonFormatter"}},
        "filters": {"no-connections": {"()": "mien.service.logs.NoConnections"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["no-connections"],
            }
        },
        "loggers": {
            name: {"handlers": ["stderr"], "level": "INFO", "propagate": False}
            for name in (LOGGER, "uvicorn")
        },
    }
