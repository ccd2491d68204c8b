"""How long the tests are ready to wait, and how they wait for a condition they cannot be told about."""

from __future__ import annotations

import os
import time

# Sanitizer builds are several times slower; E2E_TIME_SCALE=5 stretches every limit of the tests (never of the server).
SCALE = float(os.environ.get("E2E_TIME_SCALE", "1"))

SOON = 8.0 * SCALE


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
