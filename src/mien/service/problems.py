"""Errors as problem documents (RFC 9457): what happened and how to mend it, never a stack trace."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"

# Kind of each problem, which ends its type: its status, and its title.
KINDS: Final = {
    "malformed-body": (400, "The body cannot be read"),
    "no-key": (401, "The API key is missing or wrong"),
    "no-token": (403, "The request is not from a page of this server"),
    "other-origin": (403, "This web page may not use the service"),
    "not-found": (404, "There is no such page"),
    "no-such-method": (405, "This method is not used here"),
    "slow-body": (408, "The body did not arrive in time"),
    "decided-elsewhere": (409, "Another tab has changed this face"),
    "body-too-large": (413, "The body is too large"),
    "too-many-images": (413, "The request has too many images"),
    "too-many-pixels": (413, "The image has too many pixels"),
    "unknown-media-type": (415, "The body is of an unknown type"),
    "other-host": (421, "The service is not addressed by this name"),
    "invalid-body": (422, "The body has something else than was expected"),
    "not-an-image": (422, "An image cannot be decoded"),
    "internal": (500, "The service failed"),
    "not-written": (507, "The disk refused what was to be written"),
    "busy": (503, "The service has as many requests as it takes at a time"),
    "too-slow": (503, "The request took too long"),
}
RETRY_AFTER_S: Final = 1  # the queue is short enough to be done by then, or nearly


class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """An error that a reply tells.

    Args:
        kind: kind of the problem, one of `KINDS`.
        detail: what happened, what was expected and how to mend it.
        **members: further members of the document.
    """

    def __init__(self, kind: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.members = kind, detail, members
        self.status, self.title = KINDS[kind]

    def as_dict(self, request_id: str = "") -> dict[str, Any]:
        """Return the problem document.

        Args:
            request_id: id of the request, by which the log names it.
        """
        document = {
            "type": f"urn:mien:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return {**document, "request_id": request_id} if request_id else document

    def response(self, request_id: str = "") -> JSONResponse:
        """Return the reply that holds the problem document."""
        headers = {}
        if self.status == 503:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(
            self.as_dict(request_id), self.status, headers=headers, media_type=MEDIA_TYPE
        )
