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


def test_the_search_block_names_what_exists(tmp_path):
    """The attributes that the search block reads exist on a real result."""
    import growsearch as gs

    (block,) = [block for block in BLOCKS if "gs.search(" in block]
    small = ["teacher.steps=5", "training.steps=4", "training.evaluate_every=4"]
    space = gs.SearchSpace.load("digits", small)
    result = gs.search(space, trials=1, out=tmp_path / "run", seed=0)
    names = {"result": result}
    expressions = [line.split("#")[0].strip() for line in block.splitlines()]
    read = [line for line in expressions if line.startswith("result.")]
    assert len(read) == 4
    for line in read:
        assert eval(line, names) is not None
