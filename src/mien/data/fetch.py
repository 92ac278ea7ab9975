"""FER-2013 and FER+'s votes from those who publish them, as far as the user's account allows.

FER-2013 comes from Kaggle through kagglehub, which knows the user's account; FER+'s votes from
Microsoft's repository. Nothing is fetched unless asked for, nothing of the user's is sent by mien,
and nothing is kept that cannot be read.

Not tried, for want of an account and of a way out of the machine that this was written on: Kaggle
and GitHub themselves, and what Kaggle says to an account that has not accepted its rules. Tried was
kagglehub 1.0.2, without a network, without an account, and with a server on the same machine in
Kaggle's place.
"""

from __future__ import annotations

import gzip
import http.client
import shutil
import sys
import tarfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mien.data.dataset import FaceDataset
from mien.data.load import load_dataset
from mien.data.votes import VoteFile, read_votes
from mien.errors import DataError, MienError
from mien.io.download import PATIENCE_S, SILENCE_S, download, reason_of, root_cause
from mien.io.files import atomic_file, atomic_folder, expand_user, refuse_existing

FERPLUS_URL: Final = "https://raw.githubusercontent.com/microsoft/FERPlus/master/fer2013new.csv"
FERPLUS_FILE: Final = "fer2013new.csv"
FERPLUS_ROWS: Final = 35_887
CSV_FILE: Final = "fer2013.csv"
LAYOUTS: Final = ("folders", "csv")

_FERPLUS_PAGE: Final = "https://github.com/microsoft/FERPlus"
_FOLDERS: Final = "msambare/fer2013"
_FOLDERS_BY_HAND: Final = (
    f"or download it by hand from https://www.kaggle.com/datasets/{_FOLDERS}, unzip it and name "
    "the folder: mien data info FOLDER"
)
_COMPETITION: Final = (
    "challenges-in-representation-learning-facial-expression-recognition-challenge"
)
_COMPETITION_PAGE: Final = f"https://www.kaggle.com/competitions/{_COMPETITION}"
# Of the competition's files the one whose rows FER+ counts.
_ARCHIVE: Final = "fer2013.tar.gz"
_CSV_BY_HAND: Final = (
    f"or download {_ARCHIVE} by hand from {_COMPETITION_PAGE}/data, unpack it and name the CSV: "
    f"mien data info {CSV_FILE}"
)

_MAX_BYTES: Final = 16 << 20  # the file has 1.6 MB
_SILENCE_S: Final = SILENCE_S
_PATIENCE_S: Final = PATIENCE_S

_LOG_IN: Final = (
    "log in: make a token at https://www.kaggle.com/settings and keep it as ~/.kaggle/kaggle.json "
    "or in KAGGLE_USERNAME and KAGGLE_KEY"
)


def fetch_ferplus(folder: str | Path, *, url: str = FERPLUS_URL) -> VoteFile:
    """Fetch FER+'s votes to ``fer2013new.csv`` in ``folder``.

    Args:
        folder: where the file goes; made where there is none.
        url: of Microsoft's file, or of a copy of it.

    Raises:
        MienError: if the file is there already, or cannot be had, or is not FER+'s; then nothing
            is kept.
    """
    path = expand_user(folder) / FERPLUS_FILE
    refuse_existing(path)
    with atomic_file(path) as temporary:
        try:
            download(
                url,
                temporary,
                most_bytes=_MAX_BYTES,
                silence_s=_SILENCE_S,
                patience_s=_PATIENCE_S,
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _not_fetched(url, reason_of(error)) from None
        try:
            votes = read_votes(temporary)
        except DataError as error:
            raise _not_fetched(url, str(error).removeprefix(f"{temporary}: ")) from None
        if len(votes) != FERPLUS_ROWS:
            raise _not_fetched(
                url, f"it has {len(votes):,} rows, expected {FERPLUS_ROWS:,}: half a file?"
            )
    return replace(votes, path=path)


def fetch_fer2013(folder: str | Path, *, layout: str = "folders") -> FaceDataset:
    """Fetch FER-2013 from Kaggle to ``folder``, out of kagglehub's cache where it is there already.

    Args:
        folder: what becomes the data set of folders, or holds ``fer2013.csv``.
        layout: ``folders`` for the folder release, which needs no account so far as Kaggle says;
            ``csv`` for the competition's file, which needs one that has accepted its rules.

    Returns:
        What was fetched, read.

    Raises:
        MienError: if kagglehub is not installed, or something of that name is there already, or the
            data cannot be had or read; then nothing is kept.
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
        f"{url}: FER+'s votes cannot be fetched ({reason}); download {FERPLUS_FILE} from "
        f"{_FERPLUS_PAGE} and name it by --votes, or name another address of it by --url"
    )


def _from_kaggle(ask: Callable[[Any], str], *, log_in: str, by_hand: str) -> Path:
    """Return the path that kagglehub gives, or say in one line why it gives none."""
    try:
        # Its notices go beside its progress bar: standard output is for results.
        with redirect_stdout(sys.stderr):
            return Path(ask(_kagglehub(by_hand)))
    except MienError:
        raise
    except Exception as error:  # kagglehub's, the network's and the disk's errors share no base
        reason = root_cause(error)
        # An OSError that names no file is requests': they are all of that class.
        network = isinstance(error, OSError) and error.filename is None
        mend = "check the network and try again" if network else "try again later"
        # By name: which of kagglehub's modules holds them is not the same in all its versions.
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
            f"FER-2013 cannot be fetched from Kaggle ({reason}); {mend}; {by_hand}"
        ) from None


def _kagglehub(by_hand: str) -> Any:
    try:
        import kagglehub
    except ImportError:
        raise MienError(
            "fetching FER-2013 needs kagglehub, which is not installed: "
            f"pip install 'mien[fetch]'; {by_hand}"
        ) from None
    return kagglehub


def _unpack(archive: Path, path: Path) -> None:
    """Write the CSV in the competition's archive to ``path``."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == CSV_FILE:
                    content = tar.extractfile(member)
                    assert content is not None  # a file has content
                    with content, path.open("wb") as handle:
                        shutil.copyfileobj(content, handle)
                    return
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MienError(
            f"{archive}: cannot be unpacked ({root_cause(error)}); remove it and fetch it again"
        ) from None
    raise MienError(f"{archive}: holds no {CSV_FILE}; see {_COMPETITION_PAGE}/data")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy files one by one: shutil.copytree goes on after a full disk, to fail at each."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copyfile(path, copy)


def _read(temporary: Path, path: Path) -> FaceDataset:
    """Read what was fetched, under the name that it will have."""
    try:
        dataset = load_dataset(temporary, use_cache=False)
    except DataError as error:
        said = str(error).replace(str(temporary), str(path))
        raise MienError(f"what Kaggle sent cannot be used: {said}; nothing was kept") from None
    return replace(dataset, name=path.stem)
