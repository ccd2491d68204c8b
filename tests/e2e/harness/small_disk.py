"""A disk of its own that is full, or without power, when the test wants it to be. Needs the right to mount."""

from __future__ import annotations

import fcntl
import os
import pathlib
import struct
import subprocess

MIB = 1 << 20
_BLOCK = 4096
_EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_SHUTDOWN_NOLOGFLUSH = 2


def _run(*command) -> bool:
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


class SmallDisk:
    """kind: "tmpfs", or "ext4" in a file mounted as a loop, which promises room at a write and gives it out later.

    A tmpfs is filled by making it smaller, and ext4 by a file that takes the room. The server sees what it sees on any full disk: that
    less than its reserve is free, or, when nothing is left, the end of the room in the middle of a write.

    Without power an ext4 forgets what it has not written: what was synced stays, of anything else any part, and every call fails. What the
    device has, it keeps.
    """

    def __init__(self, path: pathlib.Path, size: int, kind: str = "tmpfs"):
        self.path, self.size, self.kind = path, size, kind
        self._image = path.with_suffix(".image")
        self._ballast = path / "ballast"

    def mount(self) -> bool:
        """False: it is not allowed here."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self.kind == "tmpfs":
            return _run("mount", "-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", self.path)
        with open(self._image, "wb") as image:
            image.truncate(self.size)
        return _run("mkfs.ext4", "-q", "-F", "-m", "0", self._image) and self._mount_image()

    def _mount_image(self) -> bool:
        return _run("mount", "-o", "loop", self._image, self.path)

    def cut_power(self) -> None:
        """Of an ext4. Whoever uses it has to be ended before power_on."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, _EXT4_IOC_SHUTDOWN, struct.pack("I", _SHUTDOWN_NOLOGFLUSH))
        finally:
            os.close(directory)

    def power_on(self) -> None:
        subprocess.run(["umount", str(self.path)], check=True)
        assert self._mount_image()

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)
        self._image.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def _resize(self, size: int) -> bool:
        return _run("mount", "-o", f"remount,size={size}", self.path)

    def fill(self, leave: int = 0) -> None:
        """Takes what is free, but for about `leave` bytes. Somebody may be writing meanwhile."""
        if self.kind == "tmpfs":
            while True:
                status = os.statvfs(self.path)
                used = (status.f_blocks - status.f_bfree) * status.f_frsize
                if self._resize(used + max(leave, _BLOCK)):
                    return
        with open(self._ballast, "ab") as ballast:
            end, step = os.fstat(ballast.fileno()).st_size, 1 << 30
            while step >= _BLOCK:
                try:
                    if self.free_bytes() - leave < step:
                        raise OSError("more than is to be taken")
                    os.posix_fallocate(ballast.fileno(), end, step)
                    end += step
                except OSError:
                    step //= 2

    def empty(self) -> None:
        """Gives the room back."""
        if self.kind == "tmpfs":
            assert self._resize(self.size)
        self._ballast.unlink(missing_ok=True)
