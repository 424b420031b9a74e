"""Which keys of a spec may differ from those of its run directory."""

import pytest

from mutransfer.sweep.store.changes import changes

CASES = [
    ("resources may change", "resources", {"address": None}, {"address": "auto"}, True),
    ("the device may not", "resources", {"gpus_per_trial": 0}, {"gpus_per_trial": 1}, False),
    ("seeds may grow", "transfer", {"seeds": 2}, {"seeds": 3}, True),
    ("seeds may not shrink", "transfer", {"seeds": 3}, {"seeds": 2}, False),
    ("a ladder may grow", "transfer", {"widths": [8, 16]}, {"widths": [8, 12, 16]}, True),
    ("a ladder may not lose a width", "transfer", {"widths": [8, 16]}, {"widths": [8]}, False),
    ("data may be moved", "data", {"path": "/a"}, {"path": "/b"}, True),
    ("data may not be other data", "data", {"size": 8}, {"size": 16}, False),
    ("latents may not be scaled otherwise", "data", {"scale": None}, {"scale": 0.18}, False),
    ("nor labels counted otherwise", "data", {"first_label": 0}, {"first_label": 1}, False),
    ("nor other tensors read", "data", {"keys": {}}, {"keys": {"image": "z"}}, False),
    ("images may not be cropped otherwise", "data", {"aspect": "crop"}, {"aspect": "pad"}, False),
    ("a tolerance may not move", "target", {"tolerance": 0.01}, {"tolerance": 0.02}, False),
]


@pytest.mark.parametrize(
    ("section", "was", "now", "is_allowed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_may_change(section, was, now, is_allowed):
    (change,) = changes({section: was}, {section: now})
    assert change.path.startswith(f"{section}.{next(iter(was))}") and change.allowed is is_allowed


def test_convergence_may_be_added_but_not_removed():
    section = {"default_lr": 0.01}
    assert [c.allowed for c in changes({"convergence": None}, {"convergence": section})] == [True]
    assert not any(c.allowed for c in changes({"convergence": section}, {"convergence": None}))


def test_equal_specs_have_no_changes(tiny):
    assert list(changes(tiny.resolved(), tiny.resolved())) == []
