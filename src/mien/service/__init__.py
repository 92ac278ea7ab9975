"""Read faces over HTTP and WebSocket, and in a page: ``mien serve`` and its client.

Everything that imports FastAPI is in this package, and needs the extra ``serve``. Nothing here
imports torch. No image is written to a disk or to a log.
"""
