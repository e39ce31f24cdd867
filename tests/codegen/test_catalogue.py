"""Catalogues: the one that is committed, and many that describe nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import derive
from derive.catalogue import LAYERS, CatalogueError, Entry, read_catalogue

ROOT = Path(__file__).parents[2]
GOOD = """
[[operator]]
name = "good"
layer = "Conv1d"
in_channels = 1
out_channels = 2
kernel_size = 3
input_size = 8
"""


def read(folder: Path, text: str | bytes) -> tuple[Entry, ...]:
    path = folder / "operators.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_catalogue(path)


def operator(**changes: str) -> str:
    """The good operator with some lines changed, or left out where the value is blank."""
    lines = {
        "name": '"bad"',
        "layer": '"Conv1d"',
        "in_channels": "1",
        "out_channels": "2",
        "kernel_size": "3",
        "input_size": "8",
    } | changes
    body = "\n".join(f"{key} = {value}" for key, value in lines.items() if value)
    return f"[[operator]]\n{body}\n"


# what is wrong -> (the text, what the message says besides the file)
BAD: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "nothing": ("", ("[[operator]] tables, at least one",)),
    "comments alone": ("# nothing\n", ("at least one",)),
    "an empty list": ("operator = []\n", ("at least one",)),
    "not TOML": ("[[operator]\n", ("line 1",)),
    "a key without value": (GOOD + "padding =\n", ("line",)),
    "a key twice": (GOOD + "input_size = 9\n", ("overwrite",)),
    "not UTF-8": (b"\xff\xfe[[operator]]", ("utf-8",)),
    "a NUL": (GOOD + "\0", ("line",)),
    "nested beyond reason": ("a = " + "[" * 5000 + "]" * 5000, ("recursion",)),
    "one table": (GOOD.replace("[[", "[").replace("]]", "]"), ("[[operator]] tables",)),
    "a number": ("operator = 3\n", ("[[operator]] tables",)),
    "numbers": ("operator = [1, 2]\n", ("operator 1", "operator 2", "allowed is a table")),
    "another table": (GOOD + "[defaults]\nstride = 2\n", ("defaults",)),
    "a key above": ("version = 1\n" + GOOD, ("version",)),
    "a table like it": (GOOD.replace("operator", "operators"), ("operators: allowed",)),
    "no name": (operator(name=""), ("operator 1", "name = None")),
    "no layer": (operator(layer=""), ("operator 1 'bad'", "layer = None", "Conv1d")),
    "no kernel": (operator(kernel_size=""), ("'bad'", "kernel_size is missing")),
    "no size": (operator(input_size=""), ("'bad'", "input_size is missing")),
    "no channels": (
        operator(in_channels="", out_channels=""),
        ("in_channels is missing", "out_channels is missing"),
    ),
    "another layer": (operator(layer='"Conv4d"'), ("layer = 'Conv4d'", "one of Conv1d, Conv2d")),
    "a layer in lower case": (operator(layer='"conv1d"'), ("layer = 'conv1d'",)),
    "a class that is no layer": (operator(layer='"Operator"'), ("layer = 'Operator'",)),
    "a layer with a path": (operator(layer='"derive.Conv1d"'), ("layer = 'derive.Conv1d'",)),
    "a number as layer": (operator(layer="1"), ("layer = 1",)),
    "a list as layer": (operator(layer='["Conv1d"]'), ("layer = ['Conv1d']",)),
    "a table as layer": (operator(layer="{a = 1}"), ("layer = {'a': 1}",)),
    "a misspelt key": (operator(paddin="1"), ("paddin", "did you mean 'padding'?")),
    "another misspelt key": (operator(kernelsize="1"), ("did you mean 'kernel_size'?",)),
    "a key of nothing": (operator(xyzzy="1"), ("xyzzy: no parameter of Conv1d",)),
    "a key of another layer": (operator(output_padding="1"), ("output_padding: no parameter",)),
    "self": (operator(self="1"), ("self: no parameter",)),
    "stride 0": (operator(stride="0"), ("'bad'", "stride = 0")),
    "a fraction": (operator(stride="1.5"), ("stride = 1.5",)),
    "a word": (operator(stride='"two"'), ("stride = 'two'",)),
    "a truth": (operator(groups="true"), ("groups = True",)),
    "a date": (operator(stride="2020-01-01"), ("stride = datetime.date",)),
    "a table as number": (operator(stride="{a = 1}"), ("stride = {'a': 1}",)),
    "not a number": (operator(stride="nan"), ("stride = nan",)),
    "too many sizes": (operator(input_size="[8, 8]"), ("input_size = (8, 8)",)),
    "no sizes": (operator(input_size="[]"), ("input_size = ()",)),
    "a kernel that does not fit": (operator(kernel_size="9"), ("input_size[0] = 8",)),
    "groups that do not divide": (operator(groups="2"), ("groups = 2", "in_channels = 1")),
    "another mode": (operator(padding_mode='"mirror"'), ("padding_mode = 'mirror'",)),
    "wide reflection": (operator(padding="8", padding_mode='"reflect"'), ("padding",)),
    "a word as bias": (operator(bias='"no"'), ("bias = 'no'",)),
    "2**62": (operator(input_size=str(2**62)), ("input_size",)),
    "2**80": (operator(input_size=str(2**80)), ("input_size",)),
    "then of the wrong kind": (operator(then="3"), ("then = 3",)),
    "then of numbers": (operator(then="[1]"), ("then = [1]",)),
    "then without layer": (operator(then="[{kernel_size = 3}]"), ("layer = None",)),
    "then with a size": (
        operator(then='[{layer = "Pad", channels = 2, padding = [1], input_size = 8}]'),
        ("input_size: no parameter of Pad",),
    ),
    "then with other channels": (
        operator(then='[{layer = "Pad", channels = 3, padding = [1]}]'),
        ("'bad'", "(3,", "(2,"),
    ),
    "then with other axes": (
        operator(then='[{layer = "Pad", channels = 2, padding = [1, 1]}]'),
        ("'bad'", "input_size"),
    ),
    "two that learn": (
        operator(then='[{layer = "Conv1d", in_channels = 2, out_channels = 1, kernel_size = 1}]'),
        ("then: allowed is one learned layer",),
    ),
}
NAMES = (
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\\\b",
    "C:x",
    "CON",
    "Good",
    "UPPER",
    "a-b",
    "a.b",
    "a b",
    " a",
    "a ",
    "1a",
    "_a",
    "__init__",
    "",
    "é",
    "a\\u0000",
    "a\\n",
    "a" * 64,
    "a" * 300,
    "class",
    "import",
    "lambda",
    "int",
    "restrict",
    "while",
    "{{ name }}",
    "*/",
)


@pytest.mark.parametrize("what", BAD)
def test_refused(what: str, tmp_path: Path) -> None:
    text, words = BAD[what]
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert str(tmp_path / "operators.toml") in message
    for word in words:
        assert word in message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", NAMES)
def test_names_are_lower_case_identifiers(name: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"operator 1 .* name = .*allowed is a lower-case C"):
        read(tmp_path, operator(name=f'"{name}"'))


@pytest.mark.parametrize("value", ["3", "true", "[1]", "{a = 1}", "1.5", "2020-01-01"])
def test_names_are_words(value: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="name = "):
        read(tmp_path, operator(name=value))


def test_a_name_twice(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"operator 2 'good'\] name = 'good'.*not used before"):
        read(tmp_path, GOOD + GOOD)


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    """Of every operator, and of each all that can be told before its layer is made."""
    text = (
        "answer = 42\n"
        + operator(name='"one"', stride="0")
        + GOOD
        + operator(name='"Two"', layer='"Conv9d"')
        + operator(name='"three"', kernel_size="", paddin="1", strid="2")
        + GOOD
    )
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, text)
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(str(tmp_path / "operators.toml")) for line in lines] == [
        ": answer: allowed are only [[operator]] tables",
        " [operator 1 'one'] stride = 0: allowed is an int >= 1, or 1 of them in a tuple",
        " [operator 3 'Two'] name = 'Two': allowed is a lower-case C identifier of at most 63 "
        "characters",
        f" [operator 3 'Two'] layer = 'Conv9d': allowed is one of {', '.join(LAYERS)}",
        " [operator 4 'three'] paddin: no parameter of Conv1d; did you mean 'padding'?",
        " [operator 4 'three'] strid: no parameter of Conv1d; did you mean 'stride'?",
        " [operator 4 'three'] kernel_size is missing",
        " [operator 5 'good'] name = 'good': allowed is a name not used before",
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(CatalogueError, match=str(path)):
            read_catalogue(path)


def test_a_good_one(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, GOOD + "padding = [[1, 2]]\n")
    assert entry.name == "good"
    assert entry.op == derive.Conv1d(1, 2, 3, padding=((1, 2),), input_size=8)


def test_chains(tmp_path: Path) -> None:
    text = """
[[operator]]
name = "chain"
layer = "Interpolate"
channels = 2
scale_factor = "3/2"
mode = "linear"
input_size = [8]
then = [
    { layer = "Pad", channels = 2, padding = [[1, 0]], mode = "reflect" },
    { layer = "Conv1d", in_channels = 2, out_channels = 3, kernel_size = 3 },
]
"""
    (entry,) = read(tmp_path, text)
    resize = derive.Interpolate(2, (8,), scale_factor="3/2", mode="linear")
    pad = derive.Pad(2, ((1, 0),), "reflect", input_size=12)
    assert entry.op == derive.Conv1d(2, 3, 3, input_size=13) @ (pad @ resize)


def test_the_committed_catalogue() -> None:
    """One of each kind, the classic one among them."""
    entries = {entry.name: entry.op for entry in read_catalogue(ROOT / "operators.toml")}
    assert len(entries) >= 24
    assert entries["conv2d_classic"] == derive.Conv2d(1, 1, 3, bias=False, input_size=(4, 4))
    parameters = [getattr(op, "parameters", {}) for op in entries.values()]
    assert {p.get("padding_mode") for p in parameters} >= {
        "zeros",
        "reflect",
        "replicate",
        "circular",
    }
    layers = Counter(type(op).__name__ for op in entries.values())
    assert set(layers) >= set(LAYERS) - {"Pad"}
    assert any(p.get("output_padding", 0) for p in parameters)
    assert any(p.get("groups", 1) > 1 for p in parameters)
    assert any(1 < p.get("groups", 1) == p["in_channels"] for p in parameters if p)
    assert any(p.get("dilation", 1) == 2 for p in parameters)
