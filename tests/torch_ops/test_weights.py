"""A prepared weight is used again while it is what it was, and never after it has changed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.codegen.libraries import needs_compiler
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
ours = pytest.importorskip("codegen.torch_ops")
form = pytest.importorskip("codegen.torch_ops.form")
nn = torch.nn
pytestmark = needs_compiler


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    form.WEIGHTS.forget()
    yield
    form.WEIGHTS.forget()


def folded() -> tuple[Any, Any]:
    """A module whose weight is folded, and an input."""
    module = ours.UpsampleConv2d(8, 16, 3, padding=1, dtype=torch.float64)
    for i, parameter in enumerate(module.parameters()):
        parameter.data.copy_(integral(parameter.shape, i))
    return module, integral((1, 8, 4, 5))


def expected(module: Any, x: Any) -> Any:
    larger = nn.functional.interpolate(x, scale_factor=2)
    return nn.functional.conv2d(larger, module.weight, module.bias, padding=1)


def test_it_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = folded()
    looks = []
    look = form.WEIGHTS._looked_at
    monkeypatch.setattr(form.WEIGHTS, "_looked_at", lambda w: looks.append(1) or look(w))
    for _ in range(3):
        module(x)
    assert len(looks) == len(form.WEIGHTS) == 1
    del module
    gc.collect()
    assert len(form.WEIGHTS) == 0


def optimiser(module: Any, x: Any) -> None:
    by = torch.optim.SGD(module.parameters(), lr=1)
    module(x).sum().backward()
    by.step()


def loaded(module: Any, x: Any) -> None:
    module.load_state_dict({k: v + 1 for k, v in module.state_dict().items()})


def assigned(module: Any, x: Any) -> None:
    module.load_state_dict({k: v + 1 for k, v in module.state_dict().items()}, assign=True)


def in_place(module: Any, x: Any) -> None:
    with torch.no_grad():
        module.weight[3, 2, 1, 0] += 5


def data(module: Any, x: Any) -> None:
    module.weight.data = module.weight.data + 1


def data_and_back(module: Any, x: Any) -> None:
    """Memory that is given back may come again at the same address."""
    for _ in range(20):
        module.weight.data = module.weight.data + 1


def through_data(module: Any, x: Any) -> None:
    module.weight.data.mul_(3)


def numpy(module: Any, x: Any) -> None:
    module.weight.detach().numpy()[:] += 1


def replaced(module: Any, x: Any) -> None:
    module.weight = nn.Parameter(module.weight.detach() - 1)


def in_inference(module: Any, x: Any) -> None:
    with torch.inference_mode():
        module.weight.add_(1)


CHANGES = (
    optimiser,
    loaded,
    assigned,
    in_place,
    data,
    data_and_back,
    through_data,
    numpy,
    replaced,
    in_inference,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_no_change_is_missed(change: Callable[[Any, Any], None]) -> None:
    module, x = folded()
    before = module(x).detach().clone()
    change(module, x)
    x = x.clone().requires_grad_()
    y = module(x)
    assert not torch.equal(y, before)
    wanted = expected(module, x)
    assert torch.equal(y, wanted)
    grad = integral(y.shape)
    assert torch.equal(*(torch.autograd.grad(z, x, grad)[0] for z in (y, wanted)))


def test_another_dtype_is_another_weight() -> None:
    module, x = folded()
    module(x)
    module.to(torch.float32)
    assert torch.equal(module(x.float()).double(), expected(module, x.float()).double())


@pytest.mark.parametrize("stepped", [False, True])
def test_weights_that_lie_otherwise(stepped: bool) -> None:
    module, x = folded()
    weight = module.weight.detach()
    other = torch.stack((weight, weight), -1)[..., 0] if stepped else None
    module.weight.data = weight.to(memory_format=torch.channels_last) if other is None else other
    assert torch.equal(module(x), expected(module, x))
    module.weight.data[:] += 1
    assert torch.equal(module(x), expected(module, x))


def test_weights_without_a_version() -> None:
    with torch.inference_mode():
        module, x = folded()
        module(x)
        module.weight[0, 0, 0, 0] += 1
        assert torch.equal(module(x), expected(module, x))


def test_many_sizes_keep_a_few_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codegen.torch_ops.weights.KEPT", 2)
    module, _ = folded()
    for n in (2, 3, 4, 2):
        x = integral((1, 8, 2, n))
        assert torch.equal(module(x), expected(module, x))
    (known,) = form.WEIGHTS._known.values()
    assert len(known.made) == 2


def test_threads_share_it() -> None:
    modules = [folded()[0] for _ in range(4)]
    x = folded()[1]
    wanted = expected(modules[0], x)

    def work(i: int) -> bool:
        module = modules[i % 4]
        if i % 7 == 0:
            form.WEIGHTS.forget()
        with torch.no_grad():
            return torch.equal(module(x), wanted)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))
