"""The notebooks: each runs from top to bottom, and is stored without what it gave."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import ROOT

EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SECONDS = 600  # a hung process, not a slow one
EXECUTE = """
import sys, nbclient, nbformat
book = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(book, kernel_name="python3", timeout=600).execute()
nbformat.write(book, sys.argv[2])
"""


def executed(name: str, folder: Path) -> list[dict[str, Any]]:
    """Run a notebook in a folder; return its cells of code."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "GROWSEARCH_OFFLINE": "1",
        "KERAS_BACKEND": "tensorflow",
        "OPENBLAS_NUM_THREADS": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    out = folder / "executed.ipynb"
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(EXAMPLES / name), str(out)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads(out.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def printed(cells: list[dict[str, Any]]) -> str:
    """Return what the cells print, without warnings."""
    return "".join(
        "".join(output["text"])
        for cell in cells
        for output in cell["outputs"]
        if output.get("name") == "stdout"
    )


def shown(cells: list[dict[str, Any]], kind: str) -> int:
    """Count the outputs that a notebook shows as a kind."""
    return sum(kind in output.get("data", {}) for cell in cells for output in cell["outputs"])


def test_there_are_two() -> None:
    """Each notebook has its test below."""
    tested = re.findall(r'executed\("(\w+\.ipynb)"', Path(__file__).read_text())
    assert sorted(tested) == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    """A change of a notebook is then a change of its text alone."""
    book = json.loads(path.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert not cell["metadata"]
    assert book["metadata"]["kernelspec"]["name"] == "python3"


def test_a_search_shows_itself(tmp_path: Path) -> None:
    """The result, seven figures and a table of trials; the run can be read again."""
    cells = executed("search.ipynb", tmp_path)
    plots = re.findall(r"result\.plot_", "".join("".join(cell["source"]) for cell in cells))
    assert shown(cells, "application/vnd.plotly.v1+json") == len(plots) == 7
    assert shown(cells, "text/html") >= 2  # the result, and the table of trials
    text = printed(cells)
    assert len(re.findall(r"^net2net − \w+: .* n = \d", text, re.MULTILINE)) == 2
    (accuracy,) = re.findall(r"^([.\d]+) test accuracy", text, re.MULTILINE)
    assert float(accuracy) > 0.8
    assert (tmp_path / "best.safetensors").is_file()


def test_a_keras_model_grows(tmp_path: Path) -> None:
    """Outputs stay, the grown model trains on, and new classes leave the old logits."""
    text = printed(executed("keras_surgery.ipynb", tmp_path))
    (before,) = re.findall(r"^trained: ([.\d]+)", text, re.MULTILINE)
    (after,) = re.findall(r"^trained on: ([.\d]+)", text, re.MULTILINE)
    assert 0.7 < float(before) < float(after)
    (difference,) = re.findall(r"^largest difference of a probability: (\S+)", text, re.MULTILINE)
    assert float(difference) < 1e-5
    assert "10 logits, then 12" in text
