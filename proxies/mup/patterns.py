"""Roles that the user declares by name pattern, for tensors whose shapes do not determine them."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.rules import ROLES, Role


def declarations(
    declared: Mapping[str, str], names: Iterable[str]
) -> dict[str, tuple[Role, int | None]]:
    """Return (role, fan-in axis) of each name that a pattern matches; the last match counts.

    Args:
        declared: Maps shell-style patterns (`*`, `?`, `[…]`) to `role` or `role@axis`, where the
            axis is the one that is summed over.
        names: Names of parameters.

    Raises:
        ConfigError: a pattern that matches no name, or an unknown role.
    """
    names = list(names)
    roles: dict[str, tuple[Role, int | None]] = {}
    for pattern, text in declared.items():
        matches = [name for name in names if fnmatchcase(name, pattern)]
        role_name, _, axis = str(text).partition("@")
        role = next((role for role in ROLES if role == role_name), None)
        if role is None or not (axis == "" or axis.isdigit()):
            raise ConfigError(
                f"roles: {pattern}: one of {', '.join(ROLES)}, and @ with the fan-in axis where it "
                f"is no Linear; got {text}; write for example `hidden@1`"
            )
        if not matches:
            raise ConfigError(
                f"roles: {pattern}: a pattern matches some parameter; got none; parameters are "
                f"{', '.join(names[:5])} …"
            )
        roles.update(dict.fromkeys(matches, (role, int(axis) if axis else None)))
    return roles


def is_declared(declared: Mapping[str, str], *names: str) -> bool:
    """Return whether a pattern matches one of the names."""
    return any(fnmatchcase(name, pattern) for pattern in declared for name in names)
