"""The notebooks: whole, with outputs of a real run that name no place of a machine; and, asked for with -m slow, run from their first cell
to their last.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(file: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def printed(cell: dict[str, Any]) -> str:
    outputs = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return "".join("".join(output) for output in outputs)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_is_whole(file: Path) -> None:
    code, texts = cells(file, "code"), cells(file, "markdown")
    assert len(code) >= 8 and len(texts) >= 8
    for cell in code:
        ast.parse(source(cell))
        assert {output["output_type"] for output in cell["outputs"]} <= {"stream", "execute_result"}
    install = source(code[0])
    assert 'find_spec("weitiao") is None' in install and "constraints.txt" in install
    linked = [name for cell in texts for name in re.findall(r"\]\(([^)]+\.ipynb)\)", source(cell))]
    assert linked and all((FOLDER / name).is_file() for name in linked)
    said = "".join(map(printed, code))
    assert "text-classification" not in said.split("\n")[0]
    assert re.search(r"0\.\d\d\d", said)  # figures of a real run are there
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|usr|work|content|Users)/", said + "".join(map(source, [*code, *texts])))


def test_both_languages_take_the_same_way() -> None:
    english, chinese = ([source(cell).split("\n")[0].partition("(")[0] for cell in cells(file, "markdown")] for file in NOTEBOOKS)
    assert len(english) == len(chinese) and len(NOTEBOOKS) == 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file: Path, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    client = nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises where a cell fails
    said = "\n".join(printed(cell) for cell in notebook.cells if cell.cell_type == "code")
    accuracy = float(re.search(r"accuracy\s*[:：]?\s*(\d\.\d{3})", said).group(1))  # type: ignore[union-attr]
    assert accuracy > 0.5  # four classes: it has learned something
    assert (tmp_path / "runs").is_dir() and (tmp_path / "exports").is_dir()
