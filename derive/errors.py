"""What this package raises when a caller asks for something that does not exist."""


class GeometryError(ValueError):
    """Sizes, parameters or weights that fit no operator; the caller's to mend.

    The message names the parameter, its value and what is allowed.
    """


class ExportError(RuntimeError):
    """A page that cannot be written here; the message says what is missing."""
