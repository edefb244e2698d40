"""The static page of a run, as a visitor meets it: what is fetched, how long until the first answer, how long an answer takes then, and
whether it is the answer of the model that the page carries.

    python benchmarks/space.py runs/tweets [--rows 1000]

RUN is a finished run, or its export as ONNX, whose model answers in a browser. Chromium is needed. Once with the headers that let a browser
compute in several threads, once without.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from weitiao.deploy.space.static import folder, trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--rows", type=int, default=1000, help="held-out rows that are asked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch)
        written = folder.write(options.run, page)
        print(json.dumps({name: written[name] for name in ("form", "weights", "bytes", "transferred", "proof")}))
        for headers in (folder.HEADERS, {}):
            print(json.dumps({"load": os.getloadavg()[0], **trial.try_out(page, options.run, rows=options.rows, headers=headers)}))


if __name__ == "__main__":
    main()
