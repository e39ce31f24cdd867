"""Sizes solved: all parameters that fit and only those, as building every layer finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import derive
from derive import GeometryError, NoSizes, SizeChoice, solve_sizes
from derive.command_line import main
from tests import torch_reference

KERNELS, STRIDES, DILATIONS, PADDINGS = range(1, 5), range(1, 4), range(1, 4), range(7)
GRID: dict[str, Any] = {
    "kernel_size": KERNELS,
    "stride": STRIDES,
    "dilation": DILATIONS,
    "padding": PADDINGS,
}
Words = tuple[int, int, int, int, int]


def grid(n: int, *, transposed: bool) -> Iterator[tuple[Words, derive.Operator]]:
    """Every layer of the grid that can be built at this input size."""
    for k, s, d, p in product(KERNELS, STRIDES, DILATIONS, PADDINGS):
        for o in range(4 if transposed else 1):
            try:
                op = (
                    derive.ConvTranspose1d(1, 1, k, s, p, o, dilation=d, input_size=n)
                    if transposed
                    else derive.Conv1d(1, 1, k, s, p, d, input_size=n)
                )
            except GeometryError:
                continue
            yield (k, s, d, p, o), op


def words(choice: SizeChoice) -> Words:
    c = choice
    return c.kernel_size, c.stride, c.dilation, c.padding, c.output_padding


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("n", [1, 5, 8])
def test_all_choices_and_only_those(n: int, transposed: bool) -> None:
    built: dict[int, set[Words]] = {}
    wasted: dict[Words, int] = {}
    for each, op in grid(n, transposed=transposed):
        built.setdefault(op.output_shape[1], set()).add(each)
        reads = (op.overlap(), op.T.overlap())
        wasted[each] = sum(int((counts == 0).sum()) for counts in reads)
    for m in range(1, max(built) + 3):
        found = solve_sizes(n, m, transposed=transposed, **GRID)
        assert len(found) == len(set(map(words, found)))
        assert set(map(words, found)) == built.get(m, set())
        assert [c.wasted for c in found] == sorted(wasted[words(c)] for c in found)
        alive = solve_sizes(n, m, transposed=transposed, no_dead_pixels=True, **GRID)
        assert list(map(words, alive)) == [words(c) for c in found if not wasted[words(c)]]


def test_uniform_overlap_is_no_checkerboard() -> None:
    every = solve_sizes(7, 14, transposed=True)
    uniform = solve_sizes(7, 14, transposed=True, uniform_overlap=True)
    assert list(uniform) == [c for c in every if derive.checkerboard(c.layer()).uniform]
    assert 0 < len(uniform) < len(every)
    back = solve_sizes(14, 7, uniform_overlap=True)
    assert list(back) == [
        c for c in solve_sizes(14, 7) if derive.checkerboard(c.layer(bias=False).T).uniform
    ]


@pytest.mark.parametrize("transposed", [False, True])
def test_torch_accepts_them_and_gives_the_size(transposed: bool, family: Any) -> None:
    make = family.ConvTranspose1d if transposed else family.Conv1d
    for n, m in product((3, 8), (4, 9, 15)):
        choices = solve_sizes(n, m, transposed=transposed)
        for choice in torch_reference.share(list(choices), 20):
            layer = make(1, 1, **choice.parameters)
            assert layer(torch.zeros(1, 1, n)).shape == (1, 1, m), choice


@pytest.mark.parametrize("transposed", [False, True])
def test_torch_accepts_no_others(transposed: bool, family: Any) -> None:
    n = 4
    make: Any = family.ConvTranspose1d if transposed else family.Conv1d
    every = list(product((1, 3), (1, 3), (1, 2), (0, 2)))
    for k, s, d, p in torch_reference.share(every, 3):
        for o in range(4 if transposed else 1):
            extra = {"output_padding": o} if transposed else {}
            limits = {"kernel_size": k, "stride": s, "dilation": d, "padding": p, **extra}
            try:
                size = make(1, 1, k, s, p, dilation=d, **extra)(torch.zeros(1, 1, n)).shape[-1]
            except (RuntimeError, derive.GeometryError):
                size = None
            near = range(max(1, (size or 3) - 2), (size or 3) + 3)
            found = [m for m in near if solve_sizes(n, m, transposed=transposed, **limits)]
            assert found == ([] if size is None or size == 0 else [size]), limits


def test_several_axes_share_their_parameters() -> None:
    both = solve_sizes((28, 9), (14, 5), **GRID)
    each = [set(map(words, solve_sizes(*pair, **GRID))) for pair in ((28, 14), (9, 5))]
    assert set(map(words, both)) == each[0] & each[1]
    assert both
    assert all(c.layer().output_size == (14, 5) for c in both)
    up = solve_sizes((7, 4), (14, 8), transposed=True)
    assert up
    assert all(c.layer(2, 3).output_shape == (3, 14, 8) for c in up)


def test_the_order() -> None:
    assert [str(c) for c in solve_sizes(28, 14)][:3] == [
        "Conv: kernel_size=2, stride=2",
        "Conv: kernel_size=3, stride=2, padding=1",
        "Conv: kernel_size=4, stride=2, padding=1",
    ]
    assert str(solve_sizes(224, 14)[0]) == "Conv: kernel_size=16, stride=16"  # type: ignore[index]
    assert str(solve_sizes(32, 30)[0]) == "Conv: kernel_size=3"  # type: ignore[index]


def no(*sizes: int, **limits: Any) -> NoSizes:
    found = solve_sizes(*sizes, **limits)
    assert isinstance(found, NoSizes)
    assert not found
    assert list(found) == []
    return found


def test_no_solution_says_what_would_be_one() -> None:
    limits = {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1, "output_padding": 0}
    found = no(7, 14, transposed=True, **limits)
    assert found.output_sizes == ((13,),)
    relaxed = dict(found.relaxed)
    assert relaxed["output_padding"].output_padding == 1
    for name, choice in relaxed.items():
        assert choice.layer().output_size == (14,)
        kept = {key: value for key, value in limits.items() if key != name}
        assert {key: getattr(choice, key) for key in kept} == kept
    assert found.uneven is not None
    layer = derive.ConvTranspose1d(1, 1, 3, stride=2, padding=(found.uneven,), input_size=7)
    assert layer.output_size == (14,)
    for size in ("7", "13", "output_padding=1", "(0, 1)"):
        assert size in str(found)


def test_nearest_sizes_are_the_nearest() -> None:
    limits: dict[str, Any] = {"kernel_size": (1, 7), "stride": 3, "padding": 0, "dilation": 1}
    gives = {n: {m for m in range(1, 9) if solve_sizes(n, m, **limits)} for n in range(1, 30)}
    for n, m in product(range(3, 12), range(1, 6)):
        if m in gives[n]:
            continue
        found = no(n, m, **limits)
        below, above = ([o for o in gives[n] if o < m], [o for o in gives[n] if o > m])
        assert [o for (o,) in found.output_sizes] == [*below[-1:], *above[:1]]
        leads = [i for i, outputs in gives.items() if m in outputs]
        nearest = [*[i for i in leads if i < n][-1:], *[i for i in leads if i > n][:1]]
        assert [i for (i,) in found.input_sizes] == nearest


def test_even_kernels_keep_a_size_with_uneven_padding() -> None:
    found = no(14, 14, kernel_size=4, stride=1, dilation=1)
    assert found.uneven == (1, 2)
    same = derive.Conv1d(1, 1, 4, padding="same", input_size=14)
    uneven = derive.Conv1d(1, 1, 4, padding=((1, 2),), input_size=14)
    assert derive.equivalent(same, uneven)


@pytest.mark.parametrize(
    ("arguments", "limits", "expected"),
    [
        ((0, 4), {}, "n_in = 0: allowed is an int >= 1"),
        ((4, 4.0), {}, "n_out = 4.0: allowed is an int >= 1"),
        (((4, 4), 4), {}, "n_out = 4: allowed is as many sizes as n_in = (4, 4) has"),
        ((4, 4), {"stride": 0}, "stride = 0: allowed is None, an int >= 1, or a range"),
        ((4, 4), {"padding": -1}, "padding = -1: allowed is None, an int >= 0"),
        ((4, 4), {"stride": ()}, "stride = (): allowed is"),
        ((4, 4), {"kernel_size": "3"}, "kernel_size = '3': allowed is"),
        ((4, 4), {"output_padding": 1}, "None where transposed is False"),
        ((4, 4), {"kernel_size": range(1, 10**9)}, "at most 1000000 triples"),
        ((4, 4), {"transposed": 1}, "transposed = 1: allowed is True or False"),
    ],
)
def test_refusals(arguments: Any, limits: Any, expected: str) -> None:
    with pytest.raises(GeometryError) as error:
        solve_sizes(*arguments, **limits)
    assert expected in str(error.value)


def run(line: str) -> Result:
    return CliRunner().invoke(main, ["solve", *line.split()])


def test_command_line() -> None:
    found = solve_sizes(7, 14, transposed=True, stride=2, kernel_size=range(2, 6))
    result = run("7 14 --transposed --stride 2 --kernel-size 2:5")
    assert (result.exit_code, result.stdout) == (0, "".join(f"{c}\n" for c in found))
    result = run("7 14 --transposed --stride 2 --kernel-size 2:5 --json")
    assert [c["output_padding"] for c in json.loads(result.stdout)] == [
        c.output_padding for c in found
    ]
    result = run("28,28 14,14")
    assert len(result.stdout.splitlines()) == 13
    more = len(solve_sizes((28, 28), (14, 14))) - 12
    assert result.stdout.endswith(f"and {more} more: --all\n")
    assert len(run("28,28 14,14 --all").stdout.splitlines()) == 12 + more


def test_command_line_without_a_solution() -> None:
    result = run("14 14 --kernel-size 4 --stride 1 --dilation 1")
    assert result.exit_code == 1
    assert result.stdout.startswith("no Conv with kernel_size=4, stride=1, dilation=1 maps 14 to")
    result = run("14 14 --kernel-size 4 --stride 1 --dilation 1 --json")
    assert (result.exit_code, result.stdout) == (1, "[]\n")
    assert run("14 14 --stride 0").exit_code == 2
    assert "low:high" in run("14 14 --stride 1:x").stderr
