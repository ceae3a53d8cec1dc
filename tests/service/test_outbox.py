"""What is put is written once and in order, memory stays bounded, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ttsctl.service.outbox import Outbox, OutboxBrokenError

LONG_S = 30.0  # longer than anything here takes, on however busy a machine


class Reader:
    """The other end: keeps what it reads, and can be told not to read."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_reading = threading.Event()
        self.is_reading.set()
        self.has_begun = threading.Event()
        self.error: Exception | None = None
        self.broken = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.written)

    def write(self, data: bytes) -> None:
        self.has_begun.set()
        self.is_reading.wait(LONG_S)
        if self.error is not None:
            raise self.error
        self.written.append(data)

    def break_(self) -> None:
        self.broken += 1


@contextmanager
def outbox_to(
    reader: Reader,
    *,
    write: Callable[[bytes], None] | None = None,
    limit_bytes: int = 1 << 20,
    stall_s: float = LONG_S,
) -> Iterator[Outbox]:
    outbox = Outbox(
        write or reader.write, limit_bytes=limit_bytes, stall_s=stall_s, on_broken=reader.break_
    )
    yield outbox
    reader.is_reading.set()
    outbox.close(LONG_S)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wait_for_waiting(outbox: Outbox, count: int) -> None:
    """Wait until that many threads wait to put."""
    wait_until(lambda: len(outbox._turns) == count)


def test_what_is_put_is_written_in_order() -> None:
    reader = Reader()
    with outbox_to(reader) as outbox:
        for number in range(1000):
            outbox.put(b"%d\n" % number)
        assert outbox.close(LONG_S)
    assert reader.data == b"".join(b"%d\n" % number for number in range(1000))
    assert reader.broken == 0


def test_lines_of_many_threads_stay_whole_and_each_threads_in_order() -> None:
    reader = Reader()
    # So little room that they keep waiting for one another.
    with outbox_to(reader, limit_bytes=100) as outbox:

        def put_all(name: int) -> None:
            for number in range(100):
                outbox.put(b"%d %d\n" % (name, number))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put_all, range(8)))
        assert outbox.close(LONG_S)
    lines = [tuple(map(int, line.split())) for line in reader.data.splitlines()]
    assert sorted(lines) == [(name, number) for name in range(8) for number in range(100)]
    for name in range(8):
        assert [number for other, number in lines if other == name] == list(range(100))


def test_many_small_lines_go_out_in_few_writes() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader, limit_bytes=32 << 20) as outbox:
        started_at = time.process_time()
        for _ in range(100_000):
            outbox.put(b'{"ok":true}\n')
        reader.is_reading.set()
        assert outbox.close(LONG_S)
        assert time.process_time() - started_at < 10
    assert reader.data == b'{"ok":true}\n' * 100_000
    assert len(reader.written) < 100


def test_a_long_line_is_written_in_pieces_so_that_progress_can_be_seen() -> None:
    reader = Reader()
    data = bytes(range(256)) * (10 << 12)
    with outbox_to(reader, limit_bytes=32 << 20) as outbox:
        outbox.put(b"before\n")
        outbox.put(data)
        outbox.put(b"after\n")
        assert outbox.close(LONG_S)
    assert reader.data == b"before\n" + data + b"after\n"
    assert max(map(len, reader.written)) <= 64 << 10


def test_no_more_is_held_than_the_limit() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader, limit_bytes=1000) as outbox, ThreadPoolExecutor(1) as pool:
        for _ in range(10):
            outbox.put(b"x" * 100)
        putting = pool.submit(outbox.put, b"y")
        wait_for_waiting(outbox, 1)
        assert reader.has_begun.wait(LONG_S)
        assert not putting.done()
        reader.is_reading.set()
        putting.result(LONG_S)
    assert reader.data == b"x" * 1000 + b"y"


def test_one_line_longer_than_the_limit_is_let_in_when_there_is_nothing_else() -> None:
    reader = Reader()
    with outbox_to(reader, limit_bytes=10) as outbox:
        outbox.put(b"x" * 100)
        outbox.put(b"y" * 200)
        assert outbox.close(LONG_S)
    assert reader.data == b"x" * 100 + b"y" * 200


def test_a_long_line_is_not_kept_waiting_by_short_ones_that_come_later() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader, limit_bytes=100) as outbox, ThreadPoolExecutor(2) as pool:
        outbox.put(b"a" * 50)
        assert reader.has_begun.wait(LONG_S)
        long = pool.submit(outbox.put, b"b" * 90)
        wait_for_waiting(outbox, 1)
        short = pool.submit(outbox.put, b"c")
        wait_for_waiting(outbox, 2)
        reader.is_reading.set()
        long.result(LONG_S)
        short.result(LONG_S)
        assert outbox.close(LONG_S)
    assert reader.data == b"a" * 50 + b"b" * 90 + b"c"


def test_a_client_that_does_not_read_is_given_up() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader, limit_bytes=100, stall_s=0.2) as outbox:
        outbox.put(b"x" * 100)
        started_at = time.monotonic()
        with pytest.raises(OutboxBrokenError, match=r"read nothing for 0\.2 s"):
            outbox.put(b"y")
        assert time.monotonic() - started_at >= 0.19
        with pytest.raises(OutboxBrokenError):
            outbox.put(b"z")
        assert not outbox.close(LONG_S)
        assert reader.broken == 1
    assert b"y" not in reader.data


def test_all_who_wait_are_told_when_the_client_is_given_up_and_it_is_once() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with (
        outbox_to(reader, limit_bytes=10, stall_s=0.2) as outbox,
        ThreadPoolExecutor(4) as pool,
    ):
        outbox.put(b"x" * 10)
        waiting = [pool.submit(outbox.put, b"y") for _ in range(4)]
        errors = [each.exception(LONG_S) for each in waiting]
        assert all(isinstance(error, OutboxBrokenError) for error in errors)
        assert reader.broken == 1


def test_a_client_that_reads_slowly_is_waited_for() -> None:
    """Together the writes take longer than a stall; none of them does."""
    reader = Reader()

    def write_slowly(data: bytes) -> None:
        time.sleep(0.1)
        reader.write(data)

    with outbox_to(reader, write=write_slowly, limit_bytes=10, stall_s=1.0) as outbox:
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(outbox.put, [b"x" * 10] * 12))
        assert outbox.close(LONG_S)
    assert reader.data == b"x" * 120
    assert reader.broken == 0


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ValueError("closed file")])
def test_a_write_that_fails_breaks_it_once(error: Exception) -> None:
    reader = Reader()
    reader.error = error
    with outbox_to(reader) as outbox:
        outbox.put(b"x")
        wait_until(lambda: reader.broken == 1)
        for _ in range(2):
            with pytest.raises(OutboxBrokenError, match="cannot write to the client"):
                outbox.put(b"y")
        assert not outbox.close(LONG_S)
    assert reader.broken == 1
    assert reader.data == b""


def test_those_who_wait_are_told_when_a_write_fails() -> None:
    reader = Reader()
    reader.is_reading.clear()
    reader.error = BrokenPipeError()
    with outbox_to(reader, limit_bytes=10) as outbox, ThreadPoolExecutor(1) as pool:
        outbox.put(b"x" * 10)
        waiting = pool.submit(outbox.put, b"y")
        wait_for_waiting(outbox, 1)
        reader.is_reading.set()
        assert isinstance(waiting.exception(LONG_S), OutboxBrokenError)


def test_whoever_is_told_that_it_is_broken_may_put_and_close() -> None:
    """Giving up a client's requests makes them reply, in the same thread."""
    told = threading.Event()

    def on_broken() -> None:
        with pytest.raises(OutboxBrokenError):
            outbox.put(b"too late")
        assert not outbox.close(LONG_S)
        told.set()

    def fail(_: bytes) -> None:
        raise BrokenPipeError

    outbox = Outbox(fail, on_broken=on_broken)
    outbox.put(b"x")
    assert told.wait(LONG_S)


def test_nothing_may_be_put_too() -> None:
    reader = Reader()
    with outbox_to(reader) as outbox:
        outbox.put(b"")
        outbox.put(b"x")
        assert outbox.close(LONG_S)
    assert reader.data == b"x"


def test_close_waits_for_what_was_put_and_may_be_called_again() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader) as outbox, ThreadPoolExecutor(1) as pool:
        outbox.put(b"x")
        closing = pool.submit(outbox.close, LONG_S)
        time.sleep(0.05)
        assert not closing.done()
        reader.is_reading.set()
        assert closing.result(LONG_S)
        assert outbox.close(0)
        with pytest.raises(OutboxBrokenError, match="closed"):
            outbox.put(b"y")
    assert reader.data == b"x"
    assert reader.broken == 0


def test_close_waits_for_those_who_were_waiting_to_put() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader, limit_bytes=10) as outbox, ThreadPoolExecutor(2) as pool:
        outbox.put(b"x" * 10)
        pool.submit(outbox.put, b"y" * 10)
        wait_for_waiting(outbox, 1)
        closing = pool.submit(outbox.close, LONG_S)
        time.sleep(0.05)
        reader.is_reading.set()
        assert closing.result(LONG_S)
    assert reader.data == b"x" * 10 + b"y" * 10


def test_close_gives_up_in_time_where_the_client_does_not_read() -> None:
    reader = Reader()
    reader.is_reading.clear()
    with outbox_to(reader) as outbox:
        outbox.put(b"x")
        assert reader.has_begun.wait(LONG_S)
        outbox.put(b"y")
        assert not outbox.close(0.1)
        assert not outbox.close(0.1)
    assert b"y" not in reader.data


def test_the_thread_ends_with_close() -> None:
    before = set(threading.enumerate())
    outbox = Outbox(Reader().write, on_broken=Reader().break_)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    assert outbox.close(LONG_S)
    assert not thread.is_alive()
