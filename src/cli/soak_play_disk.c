#include "cli/soak_crowd.h"
#include "cli/soak_scenarios.h"
#include "system/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NS_PER_MS     1000000ULL
#define GATHER_MS     2000u
#define PAIRS_COUNT   4u
#define WINDOW        16u
#define GOOD_MS       1500u /* the disk is well for so long, */
#define BAD_MS        1500u /* and then full, or does not answer */
#define BALLAST_BYTES (64u << 20)

/* Takes what is free on the disk, and keeps it. */
static void fill_disk(int fd)
{
    off_t end = 0;
    for (uint32_t size = BALLAST_BYTES; size >= 4096; size /= 2) {
        while (posix_fallocate(fd, end, size) == 0) {
            end += size;
        }
    }
}

/* Writes as fast as it is acknowledged, while `disturb` says every turn how the disk is. */
static enum err write_meanwhile(struct soak_attack *attack, int fd,
                                bool (*disturb)(struct soak_attack *, int fd, bool was_bad,
                                                bool is_bad))
{
    static struct soak_crowd crowd;
    const enum err err = soak_crowd_open(&crowd, attack, 2 * PAIRS_COUNT, SOAK_PAYLOAD_BYTES);
    if (err != ERR_OK) {
        return err;
    }
    soak_crowd_gather(&crowd, GATHER_MS);
    const uint64_t began_ns = clock_now_ns();
    bool is_bad = false;
    while (!soak_attack_is_over(attack)) {
        const uint64_t ms = (clock_now_ns() - began_ns) / NS_PER_MS % (GOOD_MS + BAD_MS);
        is_bad = disturb(attack, fd, is_bad, ms >= GOOD_MS);
        for (uint32_t i = 0; i < PAIRS_COUNT; i++) {
            const struct soak_target target = {PACKET_CHANNEL_PERSON,
                                               crowd.engine.clients[PAIRS_COUNT + i].uid};
            soak_crowd_keep_busy(&crowd, i, &target, WINDOW);
        }
        soak_crowd_turn(&crowd, 5);
    }
    return ERR_OK;
}

static bool fill_or_free(struct soak_attack *attack, int fd, bool was_bad, bool is_bad)
{
    (void)attack;
    if (is_bad && !was_bad) {
        fill_disk(fd);
    } else if (!is_bad && was_bad) {
        return ftruncate(fd, 0) != 0;
    }
    return is_bad;
}

enum err soak_play_disk(struct soak_attack *attack)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/ballast", attack->options->own_disk);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? ERR_IO : write_meanwhile(attack, fd, fill_or_free);
}

static bool freeze_or_thaw(struct soak_attack *attack, int fd, bool was_bad, bool is_bad)
{
    (void)fd;
    if (is_bad && !was_bad) {
        return soak_server_freeze(attack->options->own_disk) == ERR_OK;
    }
    if (!is_bad && was_bad) {
        soak_server_thaw(attack->options->own_disk);
    }
    return is_bad;
}

enum err soak_play_stall(struct soak_attack *attack)
{
    return write_meanwhile(attack, -1, freeze_or_thaw);
}
