"""``python -m examples.super_resolution``: one network, trained by torch's modules and by ours.

Patches of a photograph are doubled by a small network that ends in a transposed convolution, or
in a resize followed by a convolution. Both are trained twice from the same seed. What our kernels
and torch's give for the same weights may differ by rounding only, by no more than a bound derived
from the data; it is checked while the network learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

import derive
from codegen import torch_ops
from demo.__main__ import photograph
from demo.layers import phase_means
from examples.rounding import output_bound

STEPS, BATCH, SIZE, WIDTH = 60, 16, 32, 16
CHECKED = 10  # every so many steps
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
Layers = list[nn.Module]


@dataclass(frozen=True)
class Upsampler:
    """The last layers, as torch has them and as we do, and the operator that they are."""

    name: str
    theirs: Callable[[], Layers]
    ours: Callable[[], Layers]
    op: derive.Operator


def upsamplers() -> list[Upsampler]:
    """A transposed convolution, and its cure."""
    words = {"stride": 2, "padding": 1, "output_padding": 1}
    transposed = derive.ConvTranspose2d(WIDTH, 1, 3, input_size=SIZE // 2, **words)
    resize = derive.Interpolate(WIDTH, (SIZE // 2, SIZE // 2), scale_factor=2, mode="nearest")
    return [
        Upsampler(
            "transposed 3x3, stride 2",
            lambda: [nn.ConvTranspose2d(WIDTH, 1, 3, **words)],
            lambda: [torch_ops.ConvTranspose2d(WIDTH, 1, 3, **words)],
            transposed,
        ),
        Upsampler(
            "nearest x2, then 3x3",
            lambda: [nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, 1, 3, padding=1)],
            lambda: [torch_ops.UpsampleConv2d(WIDTH, 1, 3, padding=1)],
            derive.Conv2d(WIDTH, 1, 3, padding=1, input_size=SIZE) @ resize,
        ),
    ]


def patches(seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """(small, large) luminance of random patches of the photograph, for ever."""
    picture = torch.einsum("c,chw->hw", LUMINANCE, torch.from_numpy(photograph()))
    draw = torch.Generator().manual_seed(seed)
    while True:
        rows, columns = (
            torch.randint(0, n - SIZE, (BATCH,), generator=draw) for n in picture.shape
        )
        large = torch.stack(
            [picture[r : r + SIZE, c : c + SIZE] for r, c in zip(rows, columns, strict=True)]
        )[:, None]
        yield nn.functional.avg_pool2d(large, 2), large


def network(conv: type[nn.Conv2d], last: Layers) -> nn.Sequential:
    """Two convolutions and the upsampler."""
    first = [conv(1, WIDTH, 5, padding=2), nn.ReLU(), conv(WIDTH, WIDTH, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*first, *last)


@dataclass(frozen=True)
class Trained:
    """A network after its training: its losses, its seconds, and who checks it on the way."""

    model: nn.Sequential
    losses: list[float]
    seconds: float


def train(model: nn.Sequential, check: Callable[[Tensor], None] = lambda x: None) -> Trained:
    """``STEPS`` steps of Adam on the squared error; ``check`` is not part of the time."""
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses, seconds = [], 0.0
    for step, (small, large) in zip(range(STEPS), patches(), strict=False):
        begin = perf_counter()
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(model(small), large)
        loss.backward()
        optimiser.step()
        seconds += perf_counter() - begin
        losses.append(loss.item())
        if step % CHECKED == 0:
            check(small)
    return Trained(model, losses, seconds)


def artefact(model: nn.Sequential) -> float:
    """How far apart the outputs at the four phases are on plain grey, over their mean."""
    with torch.no_grad():
        grey = model(torch.full((1, 1, SIZE // 2, SIZE // 2), 0.5))
    means = phase_means(grey[0, 0].numpy())
    return float((means.max() - means.min()) / abs(means.mean()))


def compare(upsampler: Upsampler) -> tuple[Trained, Trained, float]:
    """Both trained; and the largest difference for the same weights, over its bound."""
    torch.manual_seed(0)
    theirs = network(nn.Conv2d, upsampler.theirs())
    torch.manual_seed(0)
    ours = network(torch_ops.Conv2d, upsampler.ours())
    twin = network(nn.Conv2d, upsampler.theirs())
    shares = []

    def check(small: Tensor) -> None:
        for target, source in zip(twin.parameters(), ours.parameters(), strict=True):
            target.data.copy_(source.data)
        with torch.no_grad():
            difference = (ours(small) - twin(small)).abs().double()
            bound = 2 * output_bound(ours, small, upsampler.op)  # each is that near to exact
        shares.append(float((difference / bound).max()))

    return train(theirs), train(ours, check), max(shares)


def main() -> None:
    """Print the losses side by side, the times, and the artefacts of both upsamplers."""
    for upsampler in upsamplers():
        theirs, ours, share = compare(upsampler)
        if share > 1:
            raise SystemExit(f"{upsampler.name}: {share} of the bound: our kernels are wrong")
        verdict = derive.checkerboard(upsampler.op)
        print(f"{upsampler.name}: overlap ratio {verdict.ratio}, uniform: {verdict.uniform}")
        for i in (0, STEPS // 2, STEPS - 1):
            print(f"  loss {i:2}: torch {theirs.losses[i]:.7f}  ours {ours.losses[i]:.7f}")
        print(f"  same weights: differences up to {share:.2f} of the derived bound")
        print(f"  time: torch {theirs.seconds:.2f} s  ours {ours.seconds:.2f} s")
        grey = [artefact(each.model) for each in (theirs, ours)]
        print(f"  artefact on grey: torch {grey[0]:.4f}  ours {grey[1]:.4f}")


if __name__ == "__main__":
    main()
