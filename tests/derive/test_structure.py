"""The layers of imports, and what may not stand in the sources; whatever files there are."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("derive", "codegen", "generated") for path in (ROOT / folder).rglob("*.py")
)


def sources(folder: str) -> list[Path]:
    return [path for path in SOURCES if path.is_relative_to(ROOT / folder)]


def imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """Absolute names of all modules that a file imports, inside functions too."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module or "").split("."))).strip(".")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports(path: Path) -> set[str]:
    return set(imported(path, ast.parse(path.read_text(encoding="utf-8"))))


def belongs(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def relative_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources("derive"), ids=relative_name)
def test_derive_stands_alone(path: Path) -> None:
    above = {"codegen", "generated", "tests", "jinja2", "torch"}
    assert not [name for name in imports(path) if belongs(name, above)]


@pytest.mark.parametrize("path", sources("derive/core"), ids=relative_name)
def test_core_is_the_lowest_floor(path: Path) -> None:
    inside = {"derive.core"}
    out = [n for n in imports(path) if belongs(n, {"derive"}) and not belongs(n, inside)]
    assert out in ([], ["derive"])  # the package itself appears in "from derive import core"


@pytest.mark.parametrize("path", sources("codegen"), ids=relative_name)
def test_codegen_imports_neither_tests_nor_its_own_products(path: Path) -> None:
    assert not [name for name in imports(path) if belongs(name, {"generated", "tests"})]


@pytest.mark.parametrize("path", sources("generated"), ids=relative_name)
def test_generated_needs_numpy_and_the_standard_library(path: Path) -> None:
    allowed = {"numpy", "generated", *sys.stdlib_module_names}
    assert not [name for name in imports(path) if not belongs(name, allowed)]


@pytest.mark.parametrize("path", sources("derive"), ids=relative_name)
def test_no_float_literal_in_derive(path: Path) -> None:
    """Numbers are exact until they are printed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    floats = [node for node in constants if isinstance(node.value, (float, complex))]
    assert not [(node.lineno, node.value) for node in floats]


@pytest.mark.parametrize("path", SOURCES, ids=relative_name)
def test_nothing_is_pickled(path: Path) -> None:
    """Files from outside stay data."""
    assert not [n for n in imports(path) if belongs(n, {"pickle", "shelve", "marshal", "dill"})]


EVALUATES = {"eval", "exec", "system", "popen", "load_module", "run_string"}


def evaluations(text: str) -> list[str]:
    """The calls in a Python text that make code of data, or that run a shell."""
    found = []
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        words = ast.unparse(call.func)
        *before, last = words.split(".")
        evaluates = not before and last in EVALUATES - {"system"}
        runs = before == ["os"] and (last in EVALUATES or last.startswith("spawn"))
        loads = last == "load" and before[-1:] in (["torch"], ["yaml"], ["joblib"])
        shell = any(
            word.arg == "shell"
            or (word.arg == "allow_pickle" and ast.unparse(word.value) != "False")
            for word in call.keywords
        )
        if evaluates or runs or loads or shell:
            found.append(words)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative_name)
def test_nothing_is_evaluated(path: Path) -> None:
    """Names and numbers from outside stay data."""
    assert evaluations(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "eval(x)",
        "exec(compile(x, 'a', 'exec'))",
        "os.system(x)",
        "os.popen(x)",
        "yaml.load(x)",
        "torch.load(x)",
        "subprocess.run(x, shell=True)",
        "np.load(x, allow_pickle=True)",
    ],
)
def test_an_evaluation_is_found(text: str) -> None:
    assert evaluations(text)
    assert not evaluations("platform.system(); model.eval(x); json.load(x); f(x, shells=1)")


def test_importing_derive_loads_nothing_heavy() -> None:
    code = (
        "import derive, sys; derive.Conv2d(1, 1, 3, input_size=4).matrix();"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "sympy" in loaded
    assert not loaded & {"torch", "codegen", "generated", "jinja2", "matplotlib", "tests"}


def test_there_is_something_to_check() -> None:
    assert len(sources("derive")) > 20
    assert sources("derive/core")
    assert sources("codegen")
    assert sources("generated")
