"""How long the tests are ready to wait, and how they wait for a condition they cannot be told about."""

from __future__ import annotations

import os
import time

# Sanitizer builds are several times slower; E2E_TIME_SCALE=5 stretches every limit of the tests (never of the server).
SCALE = float(os.environ.get("E2E_TIME_SCALE", "1"))

# For what happens at once. A machine that is shared with others may be deaf for seconds, and no test is about that.
SOON = 20.0 * SCALE


def in_one_of_some(attempt, tries: int = 4):
    """What has to happen before a time limit of the server's, and does if the machine lets it: attempt() tells whether it was in time."""
    assert any(attempt() for _ in range(tries)), f"{tries} times too late"


def eventually(condition, within: float = SOON, every: float = 0.02):
    """The first truthy answer of condition(). Fails when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {within:.1f} s (last answer: {answer!r})")
        time.sleep(every)
