"""Make the wheel weitiao-web: what a static Space runs its model with, from npm, as small as it goes.

    python recipes/web-runtime/make.py packages

``npm ci`` fetches what package-lock.json names and checks its hashes. Of 138 MB two files are taken: the module, and its WebAssembly for
processors' vectors and threads, gzipped as it goes to browsers. The checksums stand in ``deploy/space/static/runtime.py``.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

from weitiao.deploy.container.wheel import write_wheel

HERE = Path(__file__).parent
PACKAGE, VERSION = "weitiao_web", "0.1.0"
MODULE, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
LICENSES = ("LICENSE", "ThirdPartyNotices.txt")


def main(place: Path) -> None:
    """Fetch, take what is needed, and pack it."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy2(HERE / name, scratch)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=scratch, check=True)
        source = Path(scratch) / "node_modules" / "onnxruntime-web"
        package, info = Path(scratch) / PACKAGE, Path(scratch) / f"{PACKAGE}-{VERSION}.dist-info"
        files = package / "files"
        files.mkdir(parents=True)
        # Without the line that names a source map, which is not here.
        module = (source / "dist" / MODULE).read_text(encoding="utf-8").split("//# sourceMappingURL=")[0]
        (files / "ort.mjs").write_text(module, encoding="utf-8")
        binary = (source / "dist" / BINARY).read_bytes()
        (files / "ort.wasm.gz").write_bytes(gzip.compress(binary, 9, mtime=0))
        version = json.loads((source / "package.json").read_text(encoding="utf-8"))["version"]
        told = {"onnxruntime-web": version, "license": "MIT", "sha256": hashlib.sha256(binary).hexdigest(), "bytes": len(binary)}
        (files / "versions.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        for name in LICENSES:  # npm's package has none; pip's is of the same source
            shutil.copy2(Path(str(distribution("onnxruntime").locate_file(f"onnxruntime/{name}"))), files / name)
        says = '"""What runs an ONNX model in a browser: the files in the folder files. Made by recipes/web-runtime."""\n'
        (package / "__init__.py").write_text(says, encoding="utf-8")
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {PACKAGE.replace('_', '-')}\nVersion: {VERSION}\n"
        (info / "METADATA").write_text(head + f"Summary: onnxruntime-web {version} for weitiao's static Spaces\n", encoding="utf-8")
        wheel = write_wheel(package, PathDistribution(info), place)
        print(wheel, wheel.stat().st_size)
        for file in sorted(files.iterdir()):
            print(hashlib.sha256(file.read_bytes()).hexdigest(), file.name, file.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
