"""Download FER-2013 and FER+'s votes from their publishers.

FER-2013 comes from Kaggle through kagglehub, which uses the user's own account; FER+'s votes come
from Microsoft's repository. Nothing is downloaded unless requested, mien sends no user data, and a
download that cannot be read is not kept.

Tested with kagglehub 1.0.2 without a network, without an account, and against a local server in
place of Kaggle. Not tested, because there was no account and no internet access: Kaggle and GitHub
themselves, and Kaggle's answer to an account that has not accepted the competition's rules.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tarfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import NUM_ROWS
from mien.data.load import load_dataset
from mien.data.votes import VoteFile, read_votes
from mien.errors import DataError, MienError
from mien.io.download import (
    IDLE_TIMEOUT_S,
    downloaded,
    root_cause,
)
from mien.io.files import atomic_file, atomic_folder, expand_user, refuse_existing
from mien.io.limits import CONTENT_MB

FERPLUS_URL: Final = "https://raw.githubusercontent.com/microsoft/FERPlus/master/fer2013new.csv"
FERPLUS_FILE: Final = "fer2013new.csv"
CSV_FILE: Final = "fer2013.csv"

_FERPLUS_PAGE: Final = "https://github.com/microsoft/FERPlus"
_FOLDERS: Final = "msambare/fer2013"
_FOLDERS_BY_HAND: Final = (
    f"or download it by hand from https://www.kaggle.com/datasets/{_FOLDERS} and unzip it: "
    "mien data info FOLDER"
)
_COMPETITION: Final = (
    "challenges-in-representation-learning-facial-expression-recognition-challenge"
)
_COMPETITION_PAGE: Final = f"https://www.kaggle.com/competitions/{_COMPETITION}"
# The competition's file whose rows FER+'s votes belong to.
_ARCHIVE: Final = "fer2013.tar.gz"
_CSV_BY_HAND: Final = (
    f"or download {_ARCHIVE} by hand from {_COMPETITION_PAGE}/data and unpack it: "
    f"mien data info {CSV_FILE}"
)

_MAX_BYTES: Final = 16 << 20  # FER+'s file has 1.6 MB
_IDLE_TIMEOUT_S: Final = IDLE_TIMEOUT_S

_LOG_IN: Final = (
    "log in: make a token at https://www.kaggle.com/settings and save it as ~/.kaggle/kaggle.json "
    "or in KAGGLE_USERNAME and KAGGLE_KEY"
)


def fetch_ferplus(folder: str | Path, *, url: str = FERPLUS_URL) -> VoteFile:
    """Download FER+'s votes to ``fer2013new.csv`` in a folder.

    Args:
        folder: folder of the new file; created if it does not exist.
        url: address of Microsoft's file, or of a copy of it.

    Returns:
        The votes in the downloaded file.

    Raises:
        MienError: if the file exists, cannot be downloaded, or is not FER+'s; nothing is kept then.
    """
    path = expand_user(folder) / FERPLUS_FILE
    refuse_existing(path)
    with downloaded(
        url,
        path,
        max_bytes=_MAX_BYTES,
        failed=partial(_not_fetched, url),
        idle_timeout_s=_IDLE_TIMEOUT_S,
    ) as temporary:
        try:
            votes = read_votes(temporary)
        except DataError as error:
            raise _not_fetched(url, str(error).removeprefix(f"{temporary}: ")) from None
        if len(votes) != NUM_ROWS:
            raise _not_fetched(
                url, f"it has {len(votes):,} rows, expected {NUM_ROWS:,}: a part of the file?"
            )
    return replace(votes, path=path)


def fetch_fer2013(folder: str | Path, *, layout: str = "folders") -> FaceDataset:
    """Download FER-2013 from Kaggle, or copy it from kagglehub's cache if it is there.

    Args:
        folder: path of the new folder; with ``csv``, path of the folder for ``fer2013.csv``.
        layout: ``folders`` for the folder release, for which Kaggle needs no account; ``csv`` for
            the competition's file, for which an account has to accept the competition's rules.

    Returns:
        The data set.

    Raises:
        MienError: if kagglehub is not installed, the folder or file exists, or the data cannot be
            downloaded or read; nothing is kept then.
    """
    folder = expand_user(folder)
    if layout == "csv":
        path = folder / CSV_FILE
        refuse_existing(path)
        archive = _from_kaggle(
            lambda hub: hub.competition_download(_COMPETITION, path=_ARCHIVE),
            log_in=f"{_LOG_IN}, and accept the rules at {_COMPETITION_PAGE}/rules",
            by_hand=_CSV_BY_HAND,
        )
        with atomic_file(path) as temporary:
            _unpack(archive, temporary)
            return _read(temporary, path)
    refuse_existing(folder)
    source = _from_kaggle(
        lambda hub: hub.dataset_download(_FOLDERS), log_in=_LOG_IN, by_hand=_FOLDERS_BY_HAND
    )
    with atomic_folder(folder) as temporary:
        _copy_tree(source, temporary)
        return _read(temporary, folder)


def _not_fetched(url: str, reason: str) -> MienError:
    return MienError(
        f"{url}: FER+'s votes cannot be downloaded ({reason}); download {FERPLUS_FILE} by hand "
        f"from {_FERPLUS_PAGE} and give it with --votes, or give the address of a copy with --url"
    )


def _from_kaggle(ask: Callable[[Any], str], *, log_in: str, by_hand: str) -> Path:
    """Return the path that kagglehub downloaded to, or raise a one-line error.

    Args:
        ask: download function, called with the module ``kagglehub``.
        log_in: advice for a user whose login Kaggle refuses.
        by_hand: advice for a download by hand.
    """
    try:
        # kagglehub prints notices on standard output, which is for results.
        with redirect_stdout(sys.stderr):
            return Path(ask(_kagglehub(by_hand)))
    except MienError:
        raise
    except Exception as error:  # errors of kagglehub, network and disk share no base
        reason = root_cause(error)
        # An OSError without a file name comes from requests, whose errors are all OSErrors.
        network = isinstance(error, OSError) and error.filename is None
        mend = "check the network and try again" if network else "try again later"
        # By name: versions of kagglehub have these classes in different modules.
        kind = type(error).__name__
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            reason, mend = f"the server says {status}", "try again later"
        if status in (401, 403) or kind in ("UnauthenticatedError", "CredentialError"):
            mend = log_in
        elif status == 404:
            mend = "it may have moved"
        elif kind == "DataCorruptionError":
            reason, mend = "it arrived damaged", "try again"
        raise MienError(
            f"FER-2013 cannot be downloaded from Kaggle ({reason}); {mend}; {by_hand}"
        ) from None


def _kagglehub(by_hand: str) -> Any:
    try:
        import kagglehub
    except ImportError:
        raise MienError(
            "downloading FER-2013 needs kagglehub, which is not installed: "
            f"pip install 'mien[fetch]'; {by_hand}"
        ) from None
    return kagglehub


def _unpack(archive: Path, path: Path) -> None:
    """Extract the CSV file from the competition's archive."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == CSV_FILE:
                    CONTENT_MB.check(member.size >> 20, archive, MienError)
                    content = tar.extractfile(member)
                    assert content is not None  # regular files have content
                    with content, path.open("wb") as handle:
                        shutil.copyfileobj(content, handle)
                    return
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MienError(
            f"{archive}: cannot be unpacked ({root_cause(error)}); remove it and try again"
        ) from None
    raise MienError(f"{archive}: has no {CSV_FILE} in it; see {_COMPETITION_PAGE}/data")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder file by file; shutil.copytree would continue after the disk is full."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copyfile(path, copy)


def _read(temporary: Path, path: Path) -> FaceDataset:
    """Return the downloaded data set, named after its future path."""
    try:
        dataset = load_dataset(temporary, use_cache=False)
    except DataError as error:
        reason = str(error).replace(str(temporary), str(path))
        raise MienError(f"Kaggle's files cannot be used: {reason}; nothing was kept") from None
    return replace(dataset, name=path.stem)
