"""Ids: unique, in order of time, of RFC 9562's shape; and what a server does to Python's collector."""

from __future__ import annotations

import gc
import os
import threading
import time
import uuid
import weakref

import pytest

from noria.app.http.server import collect_what_is_new
from noria.app.wiring import new_id, now_ms


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond():
    before = now_ms()
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= now_ms()


def test_ids_sort_by_the_time_they_were_made():
    ids = []
    for _ in range(20):
        ids.append(new_id())
        time.sleep(0.002)
    assert ids == sorted(ids)


def test_ids_of_many_threads_are_different():
    ids, many = [], 20_000

    def make():
        ids.extend([new_id() for _ in range(many)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 4 * many


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_repeat_what_its_parent_would_say():
    new_id()  # so that random bytes are left over
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 32).decode()[16:] != new_id()[16:]
    os.close(read)
    os.close(write)


def test_what_a_server_has_loaded_is_spared_from_the_collector_and_left_garbage_is_not():
    class Knot:
        pass

    before = gc.get_threshold()
    try:
        collect_what_is_new()
        spared = gc.get_freeze_count()
        assert spared > 0
        knot = Knot()
        knot.itself = knot
        gone = threading.Event()
        weakref.finalize(knot, gone.set)
        collect_what_is_new()
        del knot
        assert not gone.is_set()
        collect_what_is_new()  # as after a swap: a release that is no longer needed leaves, knots and all
        assert gone.is_set()
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
