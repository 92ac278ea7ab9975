"""Put onnxruntime-web into the package, which reads faces in the browser: make web.

The files come from npm, pinned by version and checksum, and are never committed. `make web` runs
this only if they are missing or this file is newer.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import files
from pathlib import Path

from mien.io.files import write_bytes
from mien.service.web import RUNTIME

PACKAGE = "onnxruntime-web@1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# The build for every browser comes last: make looks for its WebAssembly. The other one can use a
# graphics processor, in browsers that suspend WebAssembly (JSPI).
BUILDS = {
    "ort.gpu": ("ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
    "ort": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
}
NOTICES = ("LICENSE", "ThirdPartyNotices.txt")  # npm's package has none; they are the same


def fetch(folder: Path) -> Path:
    """Return npm's package, once its checksum is compared."""
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{PACKAGE}: npm cannot download it ({error}); the page works without it")
    (path,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if digest != SHA512:
        sys.exit(f"{PACKAGE}: npm sent another file: its SHA-512 is {digest}, expected {SHA512}")
    return path


def main() -> None:
    """Write the licences, the scripts and the WebAssembly modules, which are compressed."""
    notices = {Path(file).name: file for file in files("onnxruntime") or ()}
    for name in NOTICES:
        write_bytes(RUNTIME / f"{Path(name).stem}.txt", notices[name].read_binary())
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fetch(Path(folder))) as package:
        for name, (script, wasm) in BUILDS.items():
            text, module = (
                package.extractfile(f"package/dist/{part}").read()  # type: ignore[union-attr]
                for part in (script, wasm)
            )
            write_bytes(RUNTIME / f"{name}.mjs", text[: text.rindex(b"//# sourceMappingURL")])
            packed = gzip.compress(module, 9, mtime=0)
            write_bytes(RUNTIME / f"{name}.wasm.gz", packed)
            print(f"{PACKAGE}: {name}, {len(packed) / 1e6:.1f} MB in {RUNTIME}")


if __name__ == "__main__":
    main()
