"""The start barrier opens when all processes have started, or after its timeout."""

from mutransfer.sweep.run import start_barrier
from mutransfer.sweep.run.start_barrier import StartBarrier


def test_it_opens_when_the_last_process_has_arrived(tmp_path):
    first, second = (StartBarrier(str(tmp_path), 2) for _ in range(2))
    first.arrive(0)
    first.arrive(0)  # a process that is started again counts once
    assert not first.is_open()
    second.arrive(1)
    assert first.is_open() and second.is_open()


def test_it_opens_after_its_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(start_barrier, "TIMEOUT_S", -1.0)
    barrier = StartBarrier(str(tmp_path), 2)
    barrier.arrive(0)
    assert barrier.is_open()
