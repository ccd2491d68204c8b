"""A few rounds of kill -9, and of power cuts, under load; crash.py does the same for hours."""

import pytest

from harness.crash import Campaign
from harness.server import REFERENCE
from harness.small_disk import MIB, SmallDisk
from harness.witnesses import Answers, BackEnd, Readers


MORE = 6  # rounds


@pytest.fixture
def rounds(request):
    return request.config.getoption("--crash-rounds")


@pytest.fixture
def endure(start_server, seed, capsys):
    """Runs a campaign, longer where the server dies too early on a slow machine for what has to be seen, and tells what it has seen."""
    def endure_(rounds, settings=None, has_seen=lambda tally: True, **options):
        server = start_server(disableEncryption=True, **(settings or {}))
        campaign = Campaign(server, seed=seed, longest=0.8, **options)
        try:
            tally = campaign.run(rounds)
            while tally.rounds < rounds + MORE and not (tally.acked > 0 and has_seen(tally)):
                tally = campaign.run(1)
        finally:
            campaign.close()
        with capsys.disabled():
            print(f"\n  {tally.text()}")
        server.stop()
        assert tally.acked > 0 and has_seen(tally)
        assert REFERENCE or tally.stored_twice == 0
        return tally
    return endure_


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_under_load(endure, rounds):
    endure(rounds)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.jingu_only(reason="the reference promises none of it")
def test_kill_9_beside_readers_streams_and_a_back_end(endure, rounds):
    back_end = BackEnd()
    endure((rounds + 1) // 2, back_end.settings(), senders=2, window=4, witnesses=(Readers(), Answers(), back_end),
           has_seen=lambda tally: all(tally.witnessed[name] > 0 for name in ("Readers", "Answers", "BackEnd")))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.jingu_only(reason="a promise of Jingu")
def test_kill_9_on_a_full_disk(endure, rounds, tmp_path):
    disk = SmallDisk(tmp_path / "disk", 1024 * MIB)
    if not disk.mount():
        pytest.skip("may not mount a tmpfs here")
    try:
        endure((rounds + 1) // 2, {"dataDir": str(disk.path / "data")}, disk=disk,
               has_seen=lambda tally: tally.refused > 0 or tally.starts_when_full + tally.failed_starts_when_full > 0)
    finally:
        disk.unmount()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.jingu_only(reason="a promise of Jingu")
def test_a_power_cut_under_load(endure, rounds, tmp_path):
    disk = SmallDisk(tmp_path / "disk", 1024 * MIB, "ext4")
    if not disk.mount():
        pytest.skip("may not mount an ext4 here")
    try:
        endure((rounds + 1) // 2, {"dataDir": str(disk.path / "data")}, disk=disk, is_power_cut=True)
    finally:
        disk.unmount()
