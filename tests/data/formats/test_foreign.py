"""Files that are no data set of any layout are named, whatever they are called."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.errors import DataError

CSV = b"emotion,pixels,Usage\n" + b"".join(
    b"%d,%s,Training\n" % (row % 7, b" ".join([b"%d" % row] * 2304)) for row in range(14)
)


def tar(mode: str, kind: int = tarfile.PAX_FORMAT) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode, format=kind) as archive:
        member = tarfile.TarInfo("fer2013/fer2013.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV))
    return content.getvalue()


def old_tar() -> bytes:
    """A tar archive of before there was a signature in it: its checksum alone tells it."""
    plain = bytearray(tar("w", tarfile.USTAR_FORMAT))
    plain[257:265] = bytes(8)
    plain[148:156] = b" " * 8
    plain[148:156] = b"%06o\0 " % sum(plain[:512])
    return bytes(plain)


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return content.getvalue()


def arrays(save, **named) -> bytes:
    content = io.BytesIO()
    save(content, *([] if named else [np.zeros((2, 48, 48))]), **named)
    return content.getvalue()


FOREIGN = {
    "tar": (tar("w"), "a tar archive; unpack it"),
    "tar.gz": (tar("w:gz"), "a tar archive; unpack it"),
    "an old tar": (old_tar(), "a tar archive; unpack it"),
    "tar.bz2": (tar("w:bz2"), "a bzip2 archive; unpack it"),
    "tar.xz": (tar("w:xz"), "an xz archive; unpack it"),
    "csv.bz2": (bz2.compress(CSV), "a bzip2 archive; unpack it"),
    "csv.xz": (lzma.compress(CSV), "an xz archive; unpack it"),
    "zip": (zipped("fer2013.csv"), "a ZIP archive; unpack it"),
    "rar": (b"Rar!\x1a\7\1\0" + bytes(64), "a RAR archive; unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(64), "a 7z archive; unpack it"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "document; save its table as CSV"),
    "xlsx of another order": (zipped("_rels/.rels", "xl/workbook.xml"), "an Excel workbook; save"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "Office document; save its table"),
    "npy": (arrays(np.save), r"a NumPy array \(.npy\); convert it to a CSV"),
    "npz": (arrays(np.savez, images=np.zeros(3)), r"of NumPy arrays \(.npz\); convert it"),
    "pickle": (pickle.dumps({"images": []}), "a Python pickle; convert it"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file; convert it"),
    "mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(90), "a MATLAB file"),
    "torch": (zipped("archive/data.pkl", "archive/version"), "a PyTorch file; convert it"),
    "gzipped idx": (gzip.compress(b"\0\0\x08\3" + bytes(900)), "a binary file of an unknown kind"),
    "page": (
        b"\n<!DOCTYPE html>\n<html><title>Sign in</title>",
        "a web page; it was saved in place",
    ),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 301072766\n",
        "a Git LFS pointer instead of the file itself .run git lfs pull",
    ),
    "json": (b'[{"emotion": 0, "pixels": "1 2"}]', "a JSON file, not a known layout"),
    "utf-16": (CSV.decode().encode("utf-16"), "a text file in UTF-16; save it as UTF-8"),
    "png": (cv2.imencode(".png", np.zeros((48, 48), np.uint8))[1].tobytes(), "a PNG, not a known"),
    "binary": (bytes(range(256)) * 4, "a binary file of an unknown kind"),
}


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.tar.gz", "fer2013", "labels.txt"])
@pytest.mark.parametrize(("content", "said"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_kind_is_named_by_its_bytes(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        load_dataset(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["tar.gz", "zip", "utf-16", "npy"])
def test_the_only_file_of_a_folder_is_named_as_well(tmp_path, kind):
    content, said = FOREIGN[kind]
    (tmp_path / "fer2013.csv").write_bytes(content)
    what, advice = said.split("; ")
    holds = f"no class folder.*it holds fer2013.csv, {what}: {advice}"
    with pytest.raises(DataError, match=holds):
        load_dataset(tmp_path)


@pytest.mark.parametrize("name", ["fer2013.csv", "data", "data.txt", "faces.tar.gz"])
@pytest.mark.parametrize(
    "content",
    [
        CSV,
        gzip.compress(CSV),
        b"\xef\xbb\xbf" + CSV,
        CSV.replace(b"\n", b"\r\n"),
        CSV.replace(b"\n", b"\r"),
        CSV.replace(b",", b";"),
        CSV.replace(b",", b"\t"),
        gzip.compress(CSV.replace(b",", b";").replace(b"\n", b"\r")),
    ],
    ids=["plain", "gzip", "BOM", "CRLF", "CR", "semicolons", "tabs", "gzip, CR and semicolons"],
)
def test_a_csv_is_read_whatever_it_is_called_and_however_it_was_saved(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    dataset = load_dataset(tmp_path / name)
    assert (dataset.layout, len(dataset)) == ("csv", 14)
    order = np.argsort(dataset.rows)
    assert dataset.labels[order].tolist() == [*range(7)] * 2
    assert dataset.images[order, 0, 0].tolist() == [*range(14)]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Usage,Image name,neutral,happiness,surprise,anger,disgust,fear,contempt,unknown,NF",
         "these are FER.'s votes, without images"),
        ("label,pixel0,pixel1,pixel2", "a column for each pixel"),
        ("label,1x1,1x2,1x3", "a column for each pixel"),
        ("pixels", "these faces have no labels"),
        ("sepal_length,sepal_width,species", "no column 'emotion'"),
    ],
)  # fmt: skip
def test_a_csv_of_something_else_is_named(tmp_path, header, said):
    (tmp_path / "a.csv").write_text(f"{header}\n1,2,3\n")
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path / "a.csv")
