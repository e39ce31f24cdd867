"""What code generation raises: LoweringError is ours to mend, CompileError the compiler's word."""


class LoweringError(RuntimeError):
    """An operator that no kernel can be emitted for; the message says why."""
