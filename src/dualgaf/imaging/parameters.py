"""`Parameters`: what pipelines ask of an estimator, where scikit-learn is not installed."""

from inspect import signature
from typing import Any, Self

from dualgaf.errors import ConfigError, unknown_choice


class Parameters:
    """Arguments of a constructor that keeps each under its own name.

    Example:
        >>> class Line(Parameters):
        ...     def __init__(self, slope=1.0):
        ...         self.slope = slope
        >>> Line().set_params(slope=2.0)
        Line(slope=2.0)
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments by name; ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change arguments by name.

        Raises:
            ConfigError: there is no such argument.
        """
        names = tuple(signature(type(self)).parameters)
        for name, value in params.items():
            if name not in names:
                raise ConfigError(unknown_choice("parameter", name, names))
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({values})"
