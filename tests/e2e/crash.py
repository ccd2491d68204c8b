#!/usr/bin/env python3
"""The long crash run: tests/e2e/crash.py --rounds 200

Kills the server at random instants under load, restarts it, and compares everything it acknowledged with everything it kept
(harness/crash.py says what is compared). Prints one line per round and one JSON line at the end; exit code 1 when a promise was
broken, with the data directory left for inspection.

    crash.py --witnesses --senders 2 --window 4     read positions, event streams and webhooks as well (harness/witnesses.py)
    crash.py --full-disk ext4                       the server dies while its disk is full (needs the right to mount)
    crash.py --power-cut                            the disk forgets what was not synced (likewise)
"""

from __future__ import annotations

import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.crash import BrokenPromise, Campaign, summary  # noqa: E402
from harness.server import Server  # noqa: E402
from harness.small_disk import MIB, SmallDisk  # noqa: E402
from harness.witnesses import Answers, BackEnd, Readers  # noqa: E402

DISK_BYTES = 3072 * MIB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--window", type=int, default=200, help="unanswered messages of each sender")
    parser.add_argument("--longest", type=float, default=1.5, help="seconds of load at most before a kill")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--directory", type=pathlib.Path, help="where the server lives; default a temporary directory")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a top-level configuration key, e.g. durability=written")
    parser.add_argument("--witnesses", action="store_true", help="a back end and readers note what they are told, too")
    parser.add_argument("--full-disk", choices=["tmpfs", "ext4"], help="the disk is full when the server is killed")
    parser.add_argument("--power-cut", action="store_true", help="what was not synced is gone")
    options = parser.parse_args()

    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    directory = options.directory or pathlib.Path(tempfile.mkdtemp(prefix="crash-"))
    settings = dict(item.split("=", 1) for item in options.set)
    print(f"seed {seed}, directory {directory}", flush=True)
    kind = "ext4" if options.power_cut else options.full_disk
    disk = SmallDisk(directory / "disk", DISK_BYTES, kind) if kind else None
    if disk is not None:
        if not disk.mount():
            parser.error("may not mount a disk here")
        settings["dataDir"] = str(disk.path / "data")
    witnesses = (Readers(), Answers(), BackEnd()) if options.witnesses else ()
    for witness in witnesses:
        settings |= witness.settings()
    server = Server(directory, disableEncryption=True, **settings)
    campaign = Campaign(server, senders=options.senders, seed=seed, longest=options.longest, window=options.window, disk=disk,
                        is_power_cut=options.power_cut, witnesses=witnesses)
    start = time.monotonic()
    try:
        tally = campaign.run(options.rounds, lambda line: print(line, flush=True))
        server.stop()
    except BrokenPromise as broken:
        print(f"BROKEN in round {campaign.tally.rounds} (seed {seed}): {broken}\n{server.log_tail()}", file=sys.stderr)
        return 1
    finally:
        campaign.close()
        server.kill()
    print(f"every promise kept, {time.monotonic() - start:.0f} s")
    print(summary(tally))
    if disk is not None:
        disk.unmount()
    if options.directory is None:
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
