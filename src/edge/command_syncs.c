#include "edge/command_syncs.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define COMPARISONS_MAX 65536u /* of two syncs' logs; those behind are told again */

void command_syncs_init(struct command_syncs *syncs, struct budget *budget)
{
    *syncs = (struct command_syncs){.budget = budget};
    list_init(&syncs->oldest_first);
}

static struct command_sync *sync_of(struct list *link)
{
    return CONTAINER_OF(link, struct command_sync, link);
}

static void sync_remove(struct command_syncs *syncs, struct command_sync *sync)
{
    list_remove(&sync->link);
    syncs->count--;
}

void command_syncs_release(struct command_syncs *syncs, struct command_sync *sync)
{
    memory_release(syncs->budget, sync, sync->size_bytes);
}

static void forget_oldest(struct command_syncs *syncs)
{
    struct command_sync *oldest = sync_of(syncs->oldest_first.next);
    sync_remove(syncs, oldest);
    command_syncs_release(syncs, oldest);
}

void command_syncs_deinit(struct command_syncs *syncs)
{
    while (syncs->count > 0) {
        forget_oldest(syncs);
    }
}

static void forget_old(struct command_syncs *syncs, uint64_t now_ns)
{
    while (syncs->count > 0 && sync_of(syncs->oldest_first.next)->until_ns <= now_ns) {
        forget_oldest(syncs);
    }
}

/* The oldest of a user who has as many as he may. */
static void make_room(struct command_syncs *syncs, struct bytes uid)
{
    struct command_sync *oldest = NULL;
    uint32_t count = 0;
    LIST_FOR_EACH (item, &syncs->oldest_first) {
        struct command_sync *sync = sync_of(item);
        if (bytes_equal(sync->uid, uid)) {
            oldest = oldest == NULL ? sync : oldest;
            count++;
        }
    }
    if (count >= COMMAND_SYNCS_USER_MAX) {
        sync_remove(syncs, oldest);
        command_syncs_release(syncs, oldest);
    }
    if (syncs->count >= COMMAND_SYNCS_MAX) {
        forget_oldest(syncs);
    }
}

static struct bytes copy_in(struct writer *writer, struct bytes bytes)
{
    const uint8_t *at = writer->at;
    writer_bytes_add(writer, bytes);
    return (struct bytes){.data = at, .size = bytes.size};
}

enum err command_syncs_add(struct command_syncs *syncs, const struct command_told *told,
                           uint64_t now_ns)
{
    ASSERT(told->places_count > 0);
    forget_old(syncs, now_ns);
    make_room(syncs, told->uid);
    size_t strings = told->uid.size;
    for (uint32_t i = 0; i < told->places_count; i++) {
        strings += told->places[i].channel.id.size;
    }
    const size_t head =
        sizeof(struct command_sync) + told->places_count * sizeof(struct command_place);
    struct command_sync *sync = memory_acquire(syncs->budget, MEMORY_RANK_CACHE, head + strings);
    if (sync == NULL) {
        return ERR_BUDGET;
    }
    *sync = (struct command_sync){.until_ns = now_ns + COMMAND_SYNC_LIFE_NS,
                                  .places_count = told->places_count,
                                  .size_bytes = head + strings};
    struct writer writer = writer_of((uint8_t *)sync + head, strings);
    sync->uid = copy_in(&writer, told->uid);
    for (uint32_t i = 0; i < told->places_count; i++) {
        sync->places[i] = told->places[i];
        sync->places[i].channel.id = copy_in(&writer, told->places[i].channel.id);
    }
    list_push_back(&syncs->oldest_first, &sync->link);
    syncs->count++;
    return ERR_OK;
}

/* Callers send back the seq of the last message, or the largest seq: both end a log. */
static bool is_named(const struct command_sync *sync, struct bytes uid, uint64_t last_seq)
{
    if (!bytes_equal(sync->uid, uid)) {
        return false;
    }
    for (uint32_t i = 0; i < sync->places_count; i++) {
        if (sync->places[i].seq == last_seq) {
            return true;
        }
    }
    return false;
}

/* The same log in another sync, or NULL. Both tell their logs in one order, so that it is looked
 * for from `*at` on. */
static const struct command_place *find_place(const struct command_sync *sync, uint32_t *at,
                                              uint32_t *steps, const struct command_place *place)
{
    for (uint32_t i = *at; i<sync->places_count && * steps> 0; i++) {
        const struct command_place *other = &sync->places[i];
        (*steps)--;
        if (other->channel.type == place->channel.type &&
            bytes_equal(other->channel.id, place->channel.id)) {
            *at = i + 1;
            return other;
        }
    }
    return NULL;
}

/* Leaves what the other one told as well. */
static void clamp(struct command_sync *sync, const struct command_sync *other)
{
    uint32_t at = 0;
    uint32_t kept = 0;
    uint32_t steps = COMPARISONS_MAX;
    for (uint32_t i = 0; i < sync->places_count; i++) {
        const struct command_place *place = find_place(other, &at, &steps, &sync->places[i]);
        if (place != NULL) {
            const uint64_t seq = sync->places[i].seq;
            sync->places[kept] = sync->places[i];
            sync->places[kept++].seq = seq < place->seq ? seq : place->seq;
        }
    }
    sync->places_count = kept;
}

struct command_sync *command_syncs_take(struct command_syncs *syncs, struct bytes uid,
                                        uint64_t last_seq, uint64_t now_ns)
{
    forget_old(syncs, now_ns);
    struct command_sync *taken = NULL;
    LIST_FOR_EACH (item, &syncs->oldest_first) {
        struct command_sync *sync = sync_of(item);
        if (taken != NULL && is_named(sync, uid, last_seq)) {
            clamp(taken, sync);
        } else if (taken == NULL && is_named(sync, uid, last_seq)) {
            taken = sync;
        }
    }
    if (taken != NULL) {
        sync_remove(syncs, taken);
    }
    return taken;
}

void command_syncs_give(struct command_syncs *syncs, struct command_sync *sync)
{
    list_push_front(&syncs->oldest_first, &sync->link);
    syncs->count++;
}
