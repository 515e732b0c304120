"""Threads that do not wait for one another.

PyTorch shares out every operation among its threads, and those that are done spin until the last one is. A block of
pairs takes a dozen operations of less than a millisecond: on a machine that has other work too, nearly all time is then
spent spinning. Here whole blocks are shared out instead, and each thread does its operations alone.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")

MOST = 8  # threads: each has blocks in memory, and what is done with these is done by one


@contextmanager
def one_thread() -> Iterator[int]:
    """Operations use one thread meanwhile; gives how many they might use."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def ahead(work: Callable[[Task], Result], tasks: Iterable[Task], threads: int) -> Iterator[Result]:
    """`work` of each task, in order, computed a little ahead of whoever asks."""
    if threads == 1:
        yield from map(work, tasks)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(min(threads, MOST)) as pool:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > min(threads, MOST):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
