"""Roles that the user declares by name pattern, for tensors whose shapes do not determine them."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.rules import ROLES, Role

OWN_INIT = "own init"


class Declared(NamedTuple):
    """A role, the axis that is summed over, and whether the module's own init is kept."""

    role: Role
    axis: int | None = None
    keeps_init: bool = False


def declarations(declared: Mapping[str, str], names: Iterable[str]) -> dict[str, Declared]:
    """Return what is declared of each name that a pattern matches; the last match counts.

    Args:
        declared: Maps shell-style patterns (`*`, `?`, `[…]`) to `role` or `role@axis`, where the
            axis is the one that is summed over, and `, own init` may follow.
        names: Names of parameters.

    Raises:
        ConfigError: patterns that match no name, or unknown roles; the text names all of them.
    """
    names = list(names)
    roles: dict[str, Declared] = {}
    faults = []
    for pattern, text in declared.items():
        matches = [name for name in names if fnmatchcase(name, pattern)]
        found = _parsed(str(text))
        if found is None:
            faults.append(
                f"roles: {pattern}: one of {', '.join(ROLES)}, with @ and the fan-in axis where it "
                f"is no Linear, and `, {OWN_INIT}` where its init is right at every width; got "
                f"{text}; write for example `hidden@1`"
            )
        elif not matches:
            faults.append(
                f"roles: {pattern}: a pattern matches some parameter; got none; parameters are "
                f"{', '.join(names[:5])} …"
            )
        else:
            roles.update(dict.fromkeys(matches, found))
    if faults:
        raise ConfigError("\n".join(faults))
    return roles


def _parsed(text: str) -> Declared | None:
    """Return what `role`, `role@axis` or either with `, own init` says; None: nothing known."""
    rule, _, option = (part.strip() for part in text.partition(","))
    name, at, axis = rule.partition("@")
    role = next((role for role in ROLES if role == name), None)
    if role is None or option not in ("", OWN_INIT) or bool(at) != axis.isdigit():
        return None
    return Declared(role, int(axis) if axis else None, option == OWN_INIT)


def is_declared(declared: Mapping[str, str], *names: str) -> bool:
    """Return whether a pattern matches one of the names."""
    return any(fnmatchcase(name, pattern) for pattern in declared for name in names)
