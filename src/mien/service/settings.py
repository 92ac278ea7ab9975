"""Settings of the service: flags of ``mien serve``, and environment variables of the same names."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from mien.errors import MienError, nearest
from mien.io.files import expand_user
from mien.io.limits import read_file

PREFIX: Final = "MIEN_SERVE_"
_MIN_KEY: Final = 16  # characters
_MAX_KEY: Final = 512
_KEY_FILE_BYTES: Final = 4096


class Settings(BaseModel):
    """Settings of one service. Limits hold for each worker process."""

    model_config: ClassVar = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    """Name of a shipped Bundle, path of a ``.onnx`` file or of a run; None for the best one."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on; 0 for a free one, which the log names."""
    workers: int = Field(1, ge=1, le=64)
    """Number of processes, each with a model of its own."""
    threads: int = Field(0, ge=0, le=64)
    """Number of threads of a worker that find faces, and of the network; 0 to share the cores."""
    detector: str = "auto"
    """Name of the face detector."""
    detector_model: Path | None = None
    """Path of the detector's own file; None for the one in mien's cache."""
    min_face: int = Field(0, ge=0)
    """Shorter side of the smallest face that is read, in pixels."""
    min_score: float = Field(0.0, ge=0, le=1)
    """Lowest detector score of a face that is read."""
    key: SecretStr | None = None
    """API key that requests must send."""
    key_file: Path | None = None
    """File that holds the API key."""
    insecure: bool = False
    """Whether other machines may use the service without a key."""
    origins: tuple[str, ...] = ()
    """Origins of the web pages that may call the API, such as ``https://app.example``."""
    hosts: tuple[str, ...] = ()
    """Names by which the service may be addressed; empty for those of this machine alone if it
    listens on loopback, and for any name otherwise."""
    max_body_mb: int = Field(16, ge=1, le=1024)
    """Size of the largest request body, in MB; of a frame of a stream as well."""
    max_pixels: int = Field(25_000_000, ge=1)
    """Number of pixels of the largest picture."""
    max_images: int = Field(32, ge=1)
    """Largest number of pictures in a request."""
    max_crops: int = Field(1024, ge=1)
    """Largest number of face crops in a request."""
    max_faces: int = Field(100, ge=1)
    """Largest number of faces that are read in one picture, the largest faces first."""
    queue: int = Field(64, ge=1)
    """Largest number of requests in progress; one more is refused with 503."""
    queue_mb: int = Field(256, ge=1)
    """Largest size of all bodies in progress, in MB; one more is refused with 503."""
    body_timeout: float = Field(30, gt=0, le=3600)
    """Time in which a whole body must arrive, in seconds."""
    timeout: float = Field(30, gt=0, le=3600)
    """Time in which a request is answered once its body is there, in seconds."""
    stop_timeout: int = Field(30, ge=1, le=3600)
    """Time that requests in progress get when the service stops, in seconds."""
    max_streams: int = Field(8, ge=0)
    """Largest number of open WebSocket streams."""
    stream_idle: float = Field(60, gt=0, le=3600)
    """Time without a frame after which a stream is closed, in seconds."""

    @field_validator("origins", "hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Return the words of a variable of the environment, which commas divide."""
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for one in origins:
            scheme, _, rest = one.partition("://")
            if scheme not in ("http", "https") or not rest or "/" in rest or "*" in rest:
                raise ValueError(f"{one}: expected an origin such as https://app.example")
        return origins

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("key and key_file: expected one of the two")
        has_key = self.key is not None or self.key_file is not None
        if not (has_key or self.insecure or is_loopback(self.host)):
            raise ValueError(
                f"host = {self.host}: other machines could use the service, which needs an API "
                f"key: set {PREFIX}KEY or --key-file (or --insecure, for anyone to use it)"
            )
        return self

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **flags: Any
    ) -> Settings:
        """Return the settings of flags and of ``MIEN_SERVE_`` variables; flags come first.

        Args:
            environment: environment variables; None for those of this process.
            **flags: settings by their names; None for those that were not given.

        Raises:
            MienError: if there is no such setting, or a value cannot be used.
        """
        values: dict[str, Any] = {}
        for variable, text in (os.environ if environment is None else environment).items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in cls.model_fields:
                known = [f"{PREFIX}{field.upper()}" for field in cls.model_fields]
                raise MienError(f"{variable}: no such setting{nearest(variable, known)}")
            if text:
                values[name] = text
        values |= {name: value for name, value in flags.items() if value is not None}
        if flags.get("key_file") is not None:
            values.pop("key", None)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            said = first["msg"].removeprefix("Value error, ")
            where = f"{first['loc'][0]}: " if first["loc"] else ""
            raise MienError(f"{where}{said}") from None

    def as_environment(self) -> dict[str, str]:
        """Return the variables from which another process makes the same settings."""
        variables = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            elif isinstance(value, tuple):
                value = ",".join(value)
            variables[f"{PREFIX}{name.upper()}"] = "" if value is None else str(value)
        return variables

    def read_key(self) -> str | None:
        """Return the API key; None if requests need none.

        Raises:
            MienError: if the file cannot be read, or the key is too short or not plain text.
        """
        if self.key is not None:
            where, key = f"{PREFIX}KEY", self.key.get_secret_value()
        elif self.key_file is not None:
            path = expand_user(self.key_file)
            content = read_file(path, max_bytes=_KEY_FILE_BYTES)
            where, key = str(path), content.decode("utf-8", "replace").strip()
        else:
            return None
        is_plain = key.isascii() and key.isprintable() and " " not in key
        if not (is_plain and _MIN_KEY <= len(key) <= _MAX_KEY):
            raise MienError(
                f"{where}: an API key has {_MIN_KEY} to {_MAX_KEY} printable ASCII characters "
                "without spaces; `openssl rand -hex 32` makes one"
            )
        return key

    @property
    def cores(self) -> int:
        """The number of threads of each worker."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.workers)


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
