"""What torch's own tools do to a convolution; see statements.py."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.torch_ops.families import Family, filled, trained
from tests.torch_ops.pairs import integral
from tests.torch_ops.statements import STATEMENTS as STATEMENTS
from tests.torch_ops.statements import X, conv, statement, up

torch = pytest.importorskip("torch")
nn = torch.nn
utils = nn.utils


# --- torch's own tools ------------------------------------------------------------------------


@statement
def is_parametrized(f: Family) -> Any:
    class Doubled(nn.Module):
        def forward(self, w: Any) -> Any:
            return w * 2

    made, found = conv(f), []
    for name in ("weight", "bias"):
        utils.parametrize.register_parametrization(made, name, Doubled())
        found += trained(made, X)
    state = list(made.state_dict())
    for name in ("weight", "bias"):
        utils.parametrize.remove_parametrizations(made, name)
    return found, state, made(X), type(made).__name__


@statement
def is_normalised(f: Family) -> Any:
    """With one weight a channel, so that the norm is exact."""
    found: list[Any] = []
    for norm in (utils.parametrizations.weight_norm, utils.parametrizations.spectral_norm):
        torch.manual_seed(1)
        made = norm(filled(f.Conv2d(1, 1, 1)))
        found += [trained(made, X), list(made.state_dict()), copy.deepcopy(made)(X)]
    made = utils.spectral_norm(filled(f.ConvTranspose2d(1, 1, 1)))
    return found, made(X), list(made.state_dict())


@statement
def is_pruned(f: Family) -> Any:
    from torch.nn.utils import prune

    made, found = conv(f), []
    prune.l1_unstructured(made, "weight", 4)
    prune.ln_structured(made, "weight", 1, n=2, dim=0)
    prune.random_unstructured(made, "bias", 0)
    step = torch.optim.SGD(made.parameters(), 1.0)
    for _ in range(2):
        made.zero_grad()
        found += trained(made, X)
        made(X).sum().backward()
        step.step()
    state = list(made.state_dict())
    for name in ("weight", "bias"):
        prune.remove(made, name)
    return found, state, made(X)


@statement
def is_hooked(f: Family) -> Any:
    made, seen = conv(f), []
    made.register_forward_pre_hook(lambda m, given: (given[0] * 2,))
    made.register_forward_hook(lambda m, given, y: y + 1)
    made.register_full_backward_pre_hook(lambda m, grads: (grads[0] * 3,))
    made.register_full_backward_hook(lambda m, by, of: seen.extend((*by, *of)))
    made.weight.register_hook(lambda grad: grad * 2)
    return trained(made, X), seen


@statement
def is_fused_with_a_batch_norm(f: Family) -> Any:
    norm = nn.BatchNorm2d(2, eps=0.0).double().eval()
    norm.running_mean, norm.running_var = integral((2,)), torch.tensor([4.0, 16.0]).double()
    found = []
    for made in (conv(f).eval(), conv(f, bias=False).eval(), up(f).eval()):
        fused = utils.fusion.fuse_conv_bn_eval(made, norm, isinstance(made, nn.ConvTranspose2d))
        found += [fused(X), repr(fused)]
    return found


@statement
def is_wrapped_and_shared(f: Family) -> Any:
    made = conv(f).share_memory()
    wrapped = nn.DataParallel(made)
    return wrapped(X), list(wrapped.state_dict()), made.weight.is_shared()


@statement
def is_called_by_threads(f: Family) -> Any:
    made = conv(f)
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(made, [integral((1, 1, 4, n)) for n in (4, 5, 6, 4, 5, 6)]))


@statement
def is_called_as_a_function_of_its_weights(f: Family) -> Any:
    func, made = torch.func, [conv(f) for _ in range(3)]
    made[1].weight.data.mul_(2)
    given, _ = func.stack_module_state(made)
    weights = {name: p.detach() for name, p in made[0].named_parameters()}

    def loss(p: Any, x: Any) -> Any:
        return func.functional_call(made[0], p, (x[None],)).square().sum()

    bare, late = conv(f, bias=False), up(f, bias=False)
    late.register_parameter("bias", nn.Parameter(integral((2,))))
    more = func.functional_call(bare, {"bias": integral((2,), 3)}, (X[0],)), *trained(late, X)
    each = func.vmap(lambda p, x: func.functional_call(made[0], p, (x,)), (0, None))(given, X)
    return more, each.detach(), func.vmap(func.grad(loss), (None, 0))(weights, X)


@statement
def is_traced(f: Family) -> Any:
    made = filled(
        nn.Sequential(f.Conv2d(1, 2, 3, padding=1), nn.ReLU(), f.ConvTranspose2d(2, 1, 2))
    )
    symbolic, jit = torch.fx.symbolic_trace(made), torch.jit.trace(made, X)
    again = copy.deepcopy(symbolic)
    other = integral((1, 1, 6, 4))
    return [m(other) for m in (symbolic, again, jit)], list(symbolic.state_dict())


@statement
def is_scripted(f: Family) -> Any:
    made = filled(nn.Sequential(f.Conv2d(1, 2, 3), f.ConvTranspose2d(2, 1, 2, stride=2)))
    return torch.jit.script(made)(integral((1, 1, 6, 4))), torch.jit.script(made[1].eval())(
        integral((2, 3, 4)), [7, 9]
    )


# --- graphs and memory ------------------------------------------------------------------------


@statement
def takes_a_meta_tensor(f: Family) -> Any:
    made = [f.Conv2d(1, 2, 3, device="meta"), f.ConvTranspose2d(1, 2, 3, stride=2, device="meta")]
    x = torch.ones(2, 1, 4, 5, device="meta")
    return [trained(m, x) for m in made], made[1](x[0]), made[1](x, output_size=[10, 11])


@statement
def keeps_or_frees_its_graph(f: Family) -> Any:
    made, said = conv(f), []
    y = made(X).sum()
    y.backward(retain_graph=True)
    y.backward()
    found = made.weight.grad.clone()
    with torch.no_grad():
        made.weight.mul_(2)
    x = X.clone()
    late = made(x).sum()
    x.mul_(2)
    for call in (y.backward, late.backward, lambda: made(X).backward(X)):
        with pytest.raises(RuntimeError) as error:
            call()
        said.append(str(error.value))
    return found, made.weight.grad, said


@statement
def is_recomputed_and_looked_into(f: Family) -> Any:
    from torch.utils.checkpoint import checkpoint

    made = conv(f)
    graph, found = torch.autograd.graph, []
    found += trained(lambda_module(lambda x: checkpoint(made, x, use_reentrant=False), made), X)
    with graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t), graph.save_on_cpu():
        found += trained(made, X)
    with torch.autograd.set_detect_anomaly(True):
        found += trained(made, X)
    torch.use_deterministic_algorithms(True)
    try:
        return found, trained(up(f), X)
    finally:
        torch.use_deterministic_algorithms(False)


def lambda_module(call: Any, made: Any) -> Any:
    """A module of a function and the parameters of another."""
    module = nn.Module()
    module.inner, module.forward = made, call
    return module
