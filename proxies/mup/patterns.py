"""Roles that a person declares by patterns of names, where shapes tell nothing."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import get_args

from mutransfer.proxies.errors import ConfigError


def declarations(
    declared: Mapping[str, str], names: Iterable[str], roles: object
) -> dict[str, tuple[str, int | None]]:
    """Return role and fan-in axis of each name that a pattern fits; the last fitting one counts.

    Args:
        declared: Pattern, as of files (`*`, `?`, `[…]`), to `role` or `role@axis`, where the axis
            is the one that is summed over.
        names: Names of parameters.
        roles: The `Literal` of known roles.

    Raises:
        ConfigError: a pattern that fits no name, or no such role.
    """
    names, found = list(names), {}
    for pattern, text in declared.items():
        role, _, axis = str(text).partition("@")
        if role not in get_args(roles) or not (axis == "" or axis.isdigit()):
            raise ConfigError(
                f"roles: {pattern}: one of {', '.join(get_args(roles))}, and @ with the fan-in "
                f"axis where it is no Linear; got {text}; write for example `hidden@1`"
            )
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise ConfigError(
                f"roles: {pattern}: a pattern fits some parameter; got none; parameters are "
                f"{', '.join(names[:5])} …"
            )
        found.update(dict.fromkeys(fitting, (role, int(axis) if axis else None)))
    return found


def is_declared(declared: Mapping[str, str], *names: str) -> bool:
    """Return whether a pattern fits one of the names."""
    return any(fnmatchcase(name, pattern) for pattern in declared for name in names)
