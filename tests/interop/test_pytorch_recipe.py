"""The recipe for PyTorch models runs as it stands in the documentation. Needs no TensorFlow."""

import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is optional: pip install torch")

RECIPE = Path(__file__).parents[2] / "docs" / "pytorch.md"
FUNCTIONS, EXAMPLE = re.findall(r"```python\n(.*?)```", RECIPE.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def recipe():
    """The names that the recipe's two blocks define, after its own assertion has passed."""
    names = {}
    exec(compile(FUNCTIONS + EXAMPLE, str(RECIPE), "exec"), names)
    return names


def outputs(model, images):
    with torch.no_grad():
        return model.eval()(images)


def difference(model, grown, images):
    before = outputs(model, images)
    return float((outputs(grown, images) - before).abs().max() / before.abs().max())


@pytest.mark.parametrize(("index", "width"), [(0, 12), (4, 40), (8, 70)])
@pytest.mark.parametrize("split", ["equal", "random"])
def test_widening_keeps_the_outputs(recipe, index, width, split):
    """Conv to conv, conv to linear across the flatten, linear to linear; through batch norm."""
    model, images = recipe["model"], recipe["images"]
    grown = recipe["widen"](model, index, width, rng=np.random.default_rng(1), split=split)
    assert grown[index].weight.shape[0] == width
    assert difference(model, grown, images) < 1e-5


@pytest.mark.parametrize("index", [2, 6, 9])
def test_deepening_keeps_the_outputs(recipe, index):
    """Behind each ReLU, of convolutions and of a linear layer."""
    model, images = recipe["model"], recipe["images"]
    grown = recipe["deepen"](model, index, images)
    assert len(grown) == len(model) + 3
    assert difference(model, grown, images) < 1e-5


@pytest.fixture(scope="module")
def other():
    """Dilation, pooling, images that are not square; norms of features, one without parameters."""
    torch.manual_seed(1)
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, dilation=2, padding=2, padding_mode="reflect"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.BatchNorm1d(6 * 4 * 5),
        nn.Linear(6 * 4 * 5, 8, bias=False),
        nn.BatchNorm1d(8, affine=False),
        nn.ReLU(),
        nn.Linear(8, 3),
    )
    for _ in range(20):
        model(torch.randn(64, 2, 8, 10) + 0.3)
    return model.eval()


@pytest.mark.parametrize(
    ("grow", "index", "rest"),
    [("widen", 0, 15), ("widen", 5, 20), ("deepen", 1, None), ("deepen", 7, None)],
)
def test_other_models_grow_too(recipe, other, grow, index, rest):
    """Through a norm behind a flatten, one without gamma and beta, a dilated convolution."""
    images = torch.randn(32, 2, 8, 10) + 0.3
    if grow == "widen":
        grown = recipe["widen"](other, index, rest, rng=np.random.default_rng(1), split="random")
    else:
        grown = recipe["deepen"](other, index, images)
    assert difference(other, grown, images) < 1e-5


def test_what_the_recipe_cannot_do_is_an_error(recipe, other):
    """A grouped convolution, and a place that is not behind a ReLU."""
    nn, rng = torch.nn, np.random.default_rng(0)
    grouped = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2))
    with pytest.raises((ValueError, RuntimeError), match=r"expected 4 inputs|size mismatch"):
        recipe["widen"](grouped, 0, 6, rng=rng)
    with pytest.raises(AssertionError):
        recipe["deepen"](other, 2, torch.randn(4, 2, 8, 10))


def test_a_grown_model_trains_on(recipe):
    """Gradients reach every new weight, and the loss falls."""
    images, grown = recipe["images"], recipe["grown"].train()
    labels = torch.arange(len(images)) % 10
    optimizer = torch.optim.Adam(grown.parameters(), 1e-3)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(grown(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(parameter.grad is not None for parameter in grown.parameters())
    assert losses[-1] < losses[0]


def test_the_recipe_would_notice_a_forgotten_batch_norm(recipe):
    """The check of this file can fail: statistics of one channel off, and it does."""
    model, images = recipe["model"], recipe["images"]
    grown = recipe["widen"](model, 0, 12, rng=np.random.default_rng(1))
    grown[1].running_mean[-1] += 0.5
    assert difference(model, grown, images) > 1e-4
