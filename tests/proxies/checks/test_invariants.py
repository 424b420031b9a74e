"""Laws that hold between models of two widths at initialization, checked without the rule table."""

import pytest

from mutransfer.proxies.checks import invariants
from tests.proxies.checks.small_model import LR, WIDE, start_with
from tests.proxies.modules import BASE, CASES, start_of


def broken(start) -> dict[str, str]:
    texts: dict[str, str] = {}
    for law in invariants.broken_laws(start, base_width=BASE, width=WIDE, lr=LR):
        texts[law.name] = f"{texts.get(law.name, '')}{law}\n"
    return texts


def set_to(name: str, **powers: float):
    def change(rows, m):
        rows[name].update({key: m**power for key, power in powers.items()})

    return change


def test_a_correct_model_breaks_nothing_and_sp_breaks_the_laws():
    assert broken(start_with()) == {}
    names = broken(start_with(arm="sp")).keys()
    assert {"inner.weight", "qkv.weight", "head.weight"} <= names and "stem.weight" not in names


MISTAKES = {
    "head dim grows, 1/√d": ({"power": -0.5}, None, "(model)", "head dim grows"),
    "multiplier twice": ({"twice": True}, None, "head.weight", "applied twice"),
    "bias under the multiplier": ({"is_outside": True}, None, "head.bias", "bias included"),
    "Xavier": ({"xavier": True}, None, "stem.weight", "initial size"),
    "hidden LR": ({}, set_to("inner.weight", lr_mult=-0.5), "inner.weight", "width^-0.50"),
    "input LR": ({}, set_to("stem.weight", lr_mult=-1), "stem.weight", "role of a hidden"),
    "decay": ({}, set_to("inner.weight", wd_mult=0), "inner.weight", "LR × weight decay"),
    "bias decayed": ({}, set_to("inner.bias", decay=0), "inner.bias", "has weight decay"),
    "base width": (
        {}, lambda rows, m: rows["inner.weight"].update(lr_mult=2 / m, wd_mult=m / 2),
        "inner.weight", "2 times the base LR",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "change", "name", "text"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_found_alone_and_named(options, change, name, text):
    texts = broken(start_with(change, **options))
    assert texts.keys() == {name}, texts
    assert text in texts[name] and "usual cause" in texts[name]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_third_party_modules_keep_the_laws_and_sp_does_not(case):
    start = start_of(case)
    assert broken(start) == {}
    assert broken(lambda arm, *rest: start("sp", *rest))


def test_an_optimizer_that_lacks_a_tensor_is_named():
    def start(arm, width, seed, lr):
        run = start_with()(arm, width, seed, lr)
        for group in run.optimizer.param_groups:
            group["params"] = [p for p in group["params"] if p is not run.model.stem.bias]
        return run

    assert "no group of the optimizer has it" in broken(start)["stem.bias"]


def test_eps_is_small_or_falls_with_width():
    def start_of_eps(eps: float, power: float):
        def start(arm, width, seed, lr):
            run = start_with()(arm, width, seed, lr)
            for group in run.optimizer.param_groups:
                group["eps"] = eps * (width / BASE) ** power
            return run

        return start

    assert broken(start_of_eps(1e-10, 0)) == {} == broken(start_of_eps(1e-8, -1))
    assert "ε is 1e-08" in broken(start_of_eps(1e-8, 0))["inner.weight"]
