"""Files are written whole, once, inside the run directory, on file systems that lack something."""

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.files import Files
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of, write_spec
from tests.sweep.planted import played_run


@pytest.mark.parametrize("link", ["plots", "plots/a.png"])
def test_nothing_is_written_through_a_link_in_a_run_directory(tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside / "victim"
    target.write_text("precious")
    files = Files(str(tmp_path / "run"))
    files.write(b"x", "study.json")
    path = tmp_path / "run" / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(outside if link == "plots" else target)
    for act in (lambda: files.write(b"x", "plots", "a.png"), lambda: files.own_path(link),
                lambda: files.clear(link)):  # fmt: skip
        with pytest.raises(UserError, match="is a link"):
            act()
    assert target.read_text() == "precious" and list(outside.iterdir()) == [target]
    (tmp_path / "linked").symlink_to(tmp_path / "run")  # the control: the user's own link
    assert Files(str(tmp_path / "linked")).write(b"x", "other", "a.png")


@pytest.mark.parametrize("name", ["plots", "ray.log", "trials", ".lock"])
def test_planted_links_end_a_command_with_their_name(tmp_path, name):
    write_spec(tmp_path)
    run = tmp_path / "runs/tiny"
    played_run(study_of(TINY), run, until=lambda state: name != "plots")
    outside = tmp_path / "outside"
    outside.write_text("precious") if name in ("ray.log", ".lock") else outside.mkdir()
    if (run / name).exists():
        (run / name).rename(tmp_path / "moved")
    (run / name).symlink_to(outside)
    words = ("analyze", "tiny") if name == "plots" else ("run", "tiny", "--no-coordcheck")
    done = call(tmp_path, *words)
    assert f"{name}: is a link" in done.stderr, done.stderr
    assert done.returncode == 2 or name == "plots", "a verdict is told without its report"
    assert outside.read_text() == "precious" if outside.is_file() else not list(outside.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_no_file_and_nothing_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "study.json")
    with pytest.raises(UserError, match="no regular file"):
        Files(str(tmp_path)).read_bytes("study.json")
    (tmp_path / "trials").mkdir()
    os.mkfifo(tmp_path / "trials" / f"{'0' * 16}.parquet")
    assert Store(str(tmp_path)).trial_ids() == []


def no_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


def race(root: str, number: int, barrier, results) -> None:
    os.link = no_links
    files = Files(root)
    wins = []
    for i in range(20):
        barrier.wait(60)
        wins.append(files.write(f"{number}".encode() * 5000, f"{i}.txt", keep_first=True))
    results.put((number, wins))


def test_without_hard_links_the_first_file_is_kept_and_whole(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=race, args=(str(tmp_path), n, barrier, results)) for n in range(4)
    ]
    for process in processes:
        process.start()
    wins = dict(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(30)
    for i in range(20):
        (winner,) = [n for n, won in wins.items() if won[i]]
        assert (tmp_path / f"{i}.txt").read_text() == f"{winner}" * 5000
    assert [path for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_the_place_of_a_process_that_died_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr("mutransfer.sweep.store.files.PLACE_TIMEOUT_S", 0.1)
    (tmp_path / ".a.txt.place.tmp").write_text("")
    assert Files(str(tmp_path)).write(b"x", "a.txt", keep_first=True)


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_message_that_names_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(FULL))
    with pytest.raises(UserError, match=r"No space left on device; free some space"):
        Files(str(tmp_path)).write(b"x", "a.txt")
    assert list(Path(tmp_path).iterdir()) == [], "and nothing half-written stays"
