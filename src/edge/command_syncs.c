#include "edge/command_syncs.h"

#include "base/assert.h"
#include "memory/allocator.h"

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
                                  .last_seq = told->last_seq,
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

struct command_sync *command_syncs_take(struct command_syncs *syncs, struct bytes uid,
                                        uint64_t last_seq, uint64_t now_ns)
{
    forget_old(syncs, now_ns);
    struct command_sync *newest = NULL;
    struct command_sync *named = NULL;
    LIST_FOR_EACH (item, &syncs->oldest_first) {
        struct command_sync *sync = sync_of(item);
        if (bytes_equal(sync->uid, uid)) {
            newest = sync;
            named = sync->last_seq == last_seq ? sync : named;
        }
    }
    struct command_sync *taken = named != NULL ? named : newest;
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
