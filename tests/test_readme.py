"""The README's Python runs as it stands there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if "gs.search(" not in block],
    ids=lambda b: b.split("\n")[0],
)
def test_python_blocks_run(block, tmp_path, monkeypatch):
    """Each Python block but the search itself runs without an error."""
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(README), "exec"), {})


def test_the_search_block_runs(tmp_path, monkeypatch):
    """As it stands there, on a space that takes a second: what it reads of the result exists."""
    (block,) = [block for block in BLOCKS if "gs.search(" in block]
    small = ["teacher.steps=5", "training.steps=4", "training.evaluate_every=4"]
    for written, here in (('load("net2net")', 'load("digits", small)'), ("trials=12", "trials=1")):
        assert block.count(written) == 1
        block = block.replace(written, here)
    monkeypatch.chdir(tmp_path)
    names = {"small": small}
    exec(compile(block, str(README), "exec"), names)
    assert len(names["result"].trials) == 1
