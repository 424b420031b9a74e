"""The versions and the commit that results are recorded with."""

import re
import subprocess

from mutransfer.sweep.store import provenance


def test_versions_name_every_package_that_a_result_depends_on(monkeypatch):
    assert set(provenance.versions()) == {"mutransfer", "python", "torch", "optuna", "ray", "numpy"}

    def missing(name):
        raise provenance.PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "version", missing)
    assert provenance.versions()["ray"] == "none"


def test_the_commit_is_marked_where_files_differ_and_none_outside_a_checkout(monkeypatch):
    answers = {"ls-files": "", "rev-parse": "a" * 40, "status": ""}
    monkeypatch.setattr(provenance, "_git", lambda folder, *words: answers[words[0]])
    assert re.fullmatch("a{40}", provenance.commit())
    answers["status"] = " M sweep/cli.py"
    assert provenance.commit() == "a" * 40 + "+"

    def outside(folder, *words):
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(provenance, "_git", outside)
    assert provenance.commit() is None
