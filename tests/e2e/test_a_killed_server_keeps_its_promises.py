"""A few rounds of kill -9 under load; crash.py does the same for hours."""

import pytest

from harness.crash import Campaign
from harness.server import REFERENCE


@pytest.fixture
def rounds(request):
    return request.config.getoption("--crash-rounds")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_under_load(start_server, seed, rounds, capsys):
    server = start_server(disableEncryption=True)
    campaign = Campaign(server, senders=4, seed=seed, longest=0.8)
    try:
        tally = campaign.run(rounds)
    finally:
        campaign.close()
    with capsys.disabled():
        print(f"\n  {tally.text()}")
    assert tally.acked > 0
    assert REFERENCE or tally.stored_twice == 0
