"""Several pieces of work at the same time, their results in order.

Sentences are synthesized side by side and heard one after the other. What is ahead of the listener
is bounded, so that a long text for a slow listener does not fill the memory.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item, bool], Generator[Result, None, None]]

_WAITING_PER_WORKER = 2  # finished pieces that nobody has asked for yet


def in_order(
    items: Iterable[Item],
    work: Work[Item, Result],
    at_once: int,
) -> Iterator[tuple[Item, Iterator[Result]]]:
    """Yield each item with the results of its work, which is done for up to `at_once` at a time.

    The results of an item must be consumed, or given up, before the next item is asked for. With
    one at a time everything runs in the caller's thread. Closing the generator ends the work in
    hand at its next result.

    Args:
        items: Taken from in a thread of their own, as early as there is room for their work.
        work: From an item, and whether it is ahead of what is being consumed, to its results.
        at_once: How many pieces are worked on at the same time, at least 1.

    Raises:
        Exception: What `items` or the work raised, in its place in the order.
    """
    if at_once == 1:
        for item in items:
            yield item, work(item, False)
        return
    pipeline = _Pipeline(items, work, at_once)
    try:
        yield from pipeline.pieces()
    finally:
        pipeline.stop()


class _Pipeline(Generic[Item, Result]):
    def __init__(
        self,
        items: Iterable[Item],
        work: Work[Item, Result],
        at_once: int,
    ) -> None:
        self._items = items
        self._work = work
        self._pieces: queue.SimpleQueue[_Piece[Item, Result] | None] = queue.SimpleQueue()
        self._working = threading.Semaphore(at_once)
        self._waiting = threading.Semaphore(at_once * (1 + _WAITING_PER_WORKER))
        self._is_stopped = threading.Event()
        self._consumed = 0
        self._failure: BaseException | None = None
        threading.Thread(target=self._feed, daemon=True).start()

    def pieces(self) -> Iterator[tuple[Item, Iterator[Result]]]:
        while (piece := self._pieces.get()) is not None:
            yield piece.item, piece.results()
            self._consumed += 1
            self._waiting.release()
        if self._failure is not None:
            try:
                raise self._failure
            finally:
                self._failure = None  # as in `_Piece`

    def stop(self) -> None:
        self._is_stopped.set()
        self._waiting.release()  # the feeder may wait for it
        self._working.release()

    def _feed(self) -> None:
        """Start the work of each item as soon as there is room. Runs in a thread of its own."""
        try:
            for number, item in enumerate(self._items):
                self._waiting.acquire()
                self._working.acquire()
                if self._is_stopped.is_set():
                    break
                piece: _Piece[Item, Result] = _Piece(item)
                is_ahead = number > self._consumed
                threading.Thread(target=self._run, args=(piece, is_ahead), daemon=True).start()
                self._pieces.put(piece)  # only now: without a thread nothing would ever end it
        except BaseException as error:
            self._failure = error
        self._pieces.put(None)

    def _run(self, piece: _Piece[Item, Result], is_ahead: bool) -> None:
        try:
            if self._is_stopped.is_set():
                return
            with closing(self._work(piece.item, is_ahead)) as results:
                for result in results:
                    piece.put(result)
                    if self._is_stopped.is_set():
                        break
        except BaseException as error:
            piece.failure = error
        finally:
            piece.end()
            self._working.release()


class _Piece(Generic[Item, Result]):
    """One item and what its work has brought so far."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.failure: BaseException | None = None
        self._results: queue.SimpleQueue[tuple[Result] | None] = queue.SimpleQueue()

    def put(self, result: Result) -> None:
        self._results.put((result,))

    def end(self) -> None:
        self._results.put(None)

    def results(self) -> Iterator[Result]:
        while (result := self._results.get()) is not None:
            yield result[0]
        if self.failure is not None:
            try:
                raise self.failure
            finally:
                # Or its traceback would keep us, and all who wait for us to end, in a cycle.
                self.failure = None
