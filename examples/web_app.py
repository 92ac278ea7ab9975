"""A web application of one's own: choose a photo, see it with its readings.

    pip install 'mien[serve]'
    uvicorn web_app:app

`mien serve` is a complete service with limits, keys, streams and figures; this is the least that an
application of another kind needs. The photo stays in memory and is gone with the reply.
"""

import base64
import html

import cv2
import numpy as np
from fastapi import FastAPI, File, UploadFile
from fastapi.responses import HTMLResponse

import mien

MOST_BYTES = 16 << 20
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Expressions</title>
<meta name="viewport" content="width=device-width">
<h1>Expressions in a photo</h1>
<p>An expression is not a feeling. Choose a photo of people who agreed to it.</p>
<form method="post" enctype="multipart/form-data">
<input type="file" name="photo" accept="image/*" required> <button>Read</button></form>
{result}</html>"""

app = FastAPI()
reader = mien.Reader()  # once: opening it takes a second, reading a face some milliseconds


@app.get("/")
def page() -> HTMLResponse:
    """Answer the form."""
    return HTMLResponse(PAGE.format(result=""))


@app.post("/")
def read(photo: UploadFile = File()) -> HTMLResponse:  # noqa: B008 - FastAPI's way
    """Read a photo; FastAPI calls this in a thread, and threads may share a reader."""
    content = photo.file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        return answer("<p>The photo is larger than 16 MB.</p>", 413)
    try:
        (frame,) = mien.open_source(content)
        readings = reader.read(frame.image)
    except mien.MienError as error:  # one line that can be shown
        return answer(f"<p>{html.escape(str(error))}</p>", 400)
    rows = [
        f"<li>{one.emotion} {one.probability:.0%}{' (uncertain)' if one.uncertain else ''}</li>"
        for one in readings
    ]
    image = as_address(mien.draw(frame.image, readings))
    return answer(f"<ol>{''.join(rows) or 'No face was found.'}</ol><img width=100% src={image}>")


def answer(result: str, status: int = 200) -> HTMLResponse:
    """Return the page with a result."""
    return HTMLResponse(PAGE.format(result=result), status)


def as_address(image: np.ndarray) -> str:
    """Return a picture as an address that holds it."""
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
