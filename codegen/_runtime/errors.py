"""What can go wrong between a text and a kernel that may be called."""

from __future__ import annotations


class CompileError(RuntimeError):
    """No compiler, one that refused, or no place for a library; the message holds the remedy."""


class WrongKernelError(CompileError):
    """A library that did not compute what its operator is; it was not kept."""

    def __init__(
        self, name: str, functions: list[str], remedy: str = "Try another compiler: set CC"
    ) -> None:
        self.functions = tuple(functions)
        super().__init__(
            f"{name} fails its test after compilation in {' and '.join(functions)}: the library "
            f"was not kept. {remedy}"
        )


class DeviceError(RuntimeError):
    """No GPU that could run a kernel, or one that refused; the message holds the remedy."""
