#include "cli/soak_crowd.h"
#include "cli/soak_scenarios.h"

#define GATHER_MS 2000u
#define WINDOW    16u /* unanswered messages of a writer */

/* The first half of the crowd reads badly; each of the other half writes to one of those, as fast
 * as it is acknowledged. */
static enum err write_to_bad_readers(struct soak_attack *attack, uint32_t pairs_count,
                                     const enum bench_vice vices[2])
{
    static struct soak_crowd crowd;
    const enum err err = soak_crowd_open(&crowd, attack, 2 * pairs_count, SOAK_PAYLOAD_BYTES);
    if (err != ERR_OK) {
        return err;
    }
    struct bench_client *clients = crowd.engine.clients;
    for (uint32_t i = 0; i < pairs_count; i++) {
        clients[i].vice = vices[i % 2];
    }
    soak_crowd_gather(&crowd, GATHER_MS);
    while (!soak_attack_is_over(attack)) {
        for (uint32_t i = 0; i < pairs_count; i++) {
            const struct soak_target target = {PACKET_CHANNEL_PERSON, clients[i].uid};
            soak_crowd_keep_busy(&crowd, pairs_count + i, &target, WINDOW);
        }
        soak_crowd_turn(&crowd, 5);
    }
    return ERR_OK;
}

enum err soak_play_deaf(struct soak_attack *attack)
{
    return write_to_bad_readers(attack, 4, (enum bench_vice[2]){BENCH_VICE_DEAF, BENCH_VICE_DEAF});
}

enum err soak_play_mute(struct soak_attack *attack)
{
    return write_to_bad_readers(attack, 8,
                                (enum bench_vice[2]){BENCH_VICE_MUTE, BENCH_VICE_WRONG_ACK});
}
