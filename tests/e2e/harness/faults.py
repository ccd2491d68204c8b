"""What the system refuses when a test wants it to: faults.c, preloaded into the server, and the file that says what and when."""

from __future__ import annotations

import mmap
import struct
import subprocess

import pytest

from .server import BINARY, ROOT

ALLOC, WRITE, SYNC, ACCEPT, EPOLL, CHARGE, READ = 1, 2, 3, 4, 5, 6, 7


def _sanitizer() -> str:
    """AddressSanitizer wants to be the first library of all."""
    if "asan" not in str(BINARY):
        return ""
    found = subprocess.run(["cc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    return found.stdout.strip() + ":"


class Faults:
    def __init__(self, directory):
        if "tsan" in str(BINARY):
            pytest.skip("ThreadSanitizer would look into RocksDB through it, or not see how our threads order their work")
        library = directory / "faults.so"
        source = ROOT / "tests/e2e/harness/faults.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library, source], check=True)
        self.path = directory / "orders"
        self.path.write_bytes(bytes(4096))
        self._file = open(self.path, "r+b")
        self._orders = mmap.mmap(self._file.fileno(), 4096)
        self.environment = {"LD_PRELOAD": f"{_sanitizer()}{library}", "FAULTS_FILE": str(self.path)}

    def arm(self, kind: int, nth: int) -> None:
        struct.pack_into("=IiII", self._orders, 0, 0, nth, 0, 0)
        struct.pack_into("=I", self._orders, 0, kind)

    def arm_lasting(self, kind: int) -> None:
        """Each time, until it is disarmed."""
        struct.pack_into("=IiII", self._orders, 0, 0, 0, 0, 1)
        struct.pack_into("=I", self._orders, 0, kind)

    def disarm(self) -> bool:
        """Was anything refused?"""
        struct.pack_into("=I", self._orders, 0, 0)
        return struct.unpack_from("=I", self._orders, 8)[0] > 0
