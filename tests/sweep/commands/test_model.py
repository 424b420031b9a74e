"""The commands `coordcheck` and `roles`."""

import json

from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, write_spec

ROLES = ("hidden", "input")


def test_the_commands_print_slopes_and_roles(user):
    user()
    done = call(user.folder, "coordcheck", "own")
    assert done.returncode == 0 and "inner.weight" in done.stdout and "growing" in done.stdout
    rows = json.loads(call(user.folder, "roles", "own", "--json").stdout)
    assert {row["name"]: row["role"] for row in rows}["inner.weight"] == "hidden"
    assert "head.weight" in call(user.folder, "roles", "own").stdout


def test_the_roles_are_those_at_the_target_width(tiny_spec):
    rows = json.loads(call(tiny_spec.parent, "roles", "tiny", "--json").stdout)
    multipliers = {role: {r["lr_mult"] for r in rows if r["role"] == role} for role in ROLES}
    assert multipliers == {"hidden": {16 / 32}, "input": {1}}  # base width 16, target width 32
    text = TINY.replace("{width: 32, c", "{width: 64, c")
    write_spec(tiny_spec.parent, text)  # the control: another target
    wider = json.loads(call(tiny_spec.parent, "roles", "tiny", "--json").stdout)
    assert {r["lr_mult"] for r in wider if r["role"] == "hidden"} == {16 / 64}
