"""What is raised of models: ModelError for the caller, KeptError between our own functions."""


class ModelError(ValueError):
    """A model, a file or an example input that cannot be read; the message says what is allowed."""


class KeptError(Exception):
    """A layer that has no exact operator here; the message says why."""
