#include "cli/soak_scenarios.h"

#include "base/compiler.h"

#include <string.h>

/* clang-format off */
const struct soak_scenario soak_scenarios[] = {
    {"deaf", "clients that ping and never read, while others write to them", soak_play_deaf, 0, false, SOAK_SERVER_PLAIN},
    {"mute", "clients that read and never acknowledge, or acknowledge wrong ids", soak_play_mute, 0, false, SOAK_SERVER_PLAIN},
    {"handshakes", "upgrades and TLS handshakes that stop, huge frames in drips", soak_play_handshakes, SOAK_NEEDS_WS, false, SOAK_SERVER_PLAIN},
    {"silent", "connections that say nothing, or begin a huge CONNECT", soak_play_silent, 0, false, SOAK_SERVER_PLAIN},
    {"probes", "connect and close at once, as load balancers do, at full speed", soak_play_probes, 0, false, SOAK_SERVER_PLAIN},
    {"churn", "new users that come, write and break off; reconnect storms; kicks", soak_play_churn, 0, false, SOAK_SERVER_PLAIN},
    {"lists", "sends to thousands of different lists of uids", soak_play_lists, SOAK_NEEDS_HTTP, false, SOAK_SERVER_PLAIN},
    {"channels", "channels touched once; long conversation lists, synced again and again", soak_play_channels, SOAK_NEEDS_HTTP, false, SOAK_SERVER_PLAIN},
    {"groups", "groups of 5,000 and 20,000 with slow and fast readers", soak_play_groups, SOAK_NEEDS_HTTP, false, SOAK_SERVER_PLAIN},
    {"garbage", "random bytes, unknown and oversized packets, on every port", soak_play_garbage, 0, false, SOAK_SERVER_PLAIN},
    {"push", "senders that push as fast as the socket takes it", soak_play_push, 0, false, SOAK_SERVER_PLAIN},
    {"http", "slow and huge bodies, half heads, idle keep-alive connections", soak_play_http, SOAK_NEEDS_HTTP, false, SOAK_SERVER_PLAIN},
    {"api", "requests of every kind in turn, without waiting for answers", soak_play_api, SOAK_NEEDS_HTTP, false, SOAK_SERVER_PLAIN},
    {"streams", "event streams with long deltas that nobody finishes", soak_play_streams, SOAK_NEEDS_HTTP, false, SOAK_SERVER_PLAIN},
    {"webhooks", "a webhook target that is dead, slow, a black hole, angry, in turn", soak_play_webhooks, SOAK_NEEDS_HOOK, false, SOAK_SERVER_HOOK},
    {"stall", "a disk that does not answer for seconds, again and again", soak_play_stall, 0, true, SOAK_SERVER_STALLING_DISK},
    {"disk", "a disk that is full, again and again", soak_play_disk, 0, true, SOAK_SERVER_SMALL_DISK},
};
/* clang-format on */

const uint32_t soak_scenarios_count = COUNT_OF(soak_scenarios);
_Static_assert(COUNT_OF(soak_scenarios) <= SOAK_SCENARIOS_MAX, "a bit each");

uint32_t soak_scenario_find(const char *name)
{
    for (uint32_t i = 0; i < soak_scenarios_count; i++) {
        if (strcmp(soak_scenarios[i].name, name) == 0) {
            return i;
        }
    }
    return soak_scenarios_count;
}
