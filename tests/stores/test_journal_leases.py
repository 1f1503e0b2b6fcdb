"""One owner at a time holds a lease, and a dead one loses it."""

from __future__ import annotations

import threading

from noria.stores.journal.access.leases import Lease


def test_a_lease_is_held_by_one_owner_until_it_ends(journal):
    leases = journal.leases
    assert leases.holder("loop") == Lease("", 0)
    assert leases.take("loop", "a", now_ms=100, for_ms=50)
    assert not leases.take("loop", "b", now_ms=149, for_ms=50)
    assert leases.take("other", "b", now_ms=100, for_ms=50)
    assert leases.take("loop", "a", now_ms=140, for_ms=50)
    assert not leases.take("loop", "b", now_ms=189, for_ms=50)
    assert leases.take("loop", "b", now_ms=190, for_ms=50)
    assert not leases.take("loop", "a", now_ms=191, for_ms=50)
    assert leases.holder("loop") == Lease("b", 240)


def test_a_lease_is_given_back_by_its_owner_only(journal):
    leases = journal.leases
    leases.take("loop", "a", now_ms=100, for_ms=50)
    leases.free("loop", "b")
    assert leases.holder("loop").owner == "a"
    leases.free("loop", "a")
    assert leases.take("loop", "b", now_ms=101, for_ms=50)


def test_of_many_at_once_one_takes_it(journal):
    took: list[str] = []
    ready = threading.Barrier(8)

    def take(owner: str) -> None:
        ready.wait()
        if journal.leases.take("loop", owner, now_ms=100, for_ms=50):
            took.append(owner)

    threads = [threading.Thread(target=take, args=(f"o{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 1
    assert journal.leases.holder("loop").owner == took[0]
