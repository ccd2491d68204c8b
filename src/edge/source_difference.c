#include "edge/source_difference.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define NAMES_BYTES_FIRST 1024u

static enum err make_room(struct source_difference *difference, size_t size)
{
    if (size <= difference->names_capacity) {
        return ERR_OK;
    }
    size_t capacity =
        difference->names_capacity > 0 ? difference->names_capacity : NAMES_BYTES_FIRST;
    while (capacity < size) {
        capacity *= 2;
    }
    uint8_t *names = memory_acquire(difference->budget, MEMORY_RANK_READ, capacity);
    if (names == NULL) {
        return ERR_BUDGET;
    }
    if (difference->names_size > 0) {
        memcpy(names, difference->names, difference->names_size);
    }
    memory_release(difference->budget, difference->names, difference->names_capacity);
    difference->names = names;
    difference->names_capacity = capacity;
    return ERR_OK;
}

static enum err remember_removed(struct source_difference *difference, struct bytes uid)
{
    const size_t size = difference->names_size + sizeof(uint16_t) + uid.size;
    const enum err err = make_room(difference, size);
    if (err != ERR_OK) {
        return err;
    }
    struct writer writer = writer_of(difference->names + difference->names_size,
                                     difference->names_capacity - difference->names_size);
    writer_u16(&writer, (uint16_t)uid.size);
    writer_bytes_add(&writer, uid);
    difference->names_size = size;
    difference->removed_count++;
    return ERR_OK;
}

/* Those of the answer that come before `uid` are not stored. True: `uid` is in the answer. */
static bool answer_has(struct source_difference *difference, struct bytes uid)
{
    struct source_uids *answer = difference->answer;
    while (difference->answer_at < answer->count) {
        const struct bytes next = answer->items[difference->answer_at];
        const int order = bytes_compare(next, uid);
        if (order > 0) {
            return false;
        }
        difference->answer_at++;
        if (order == 0) {
            return true;
        }
        answer->items[difference->added_count++] = next;
    }
    return false;
}

static bool visit_member(void *context, struct bytes uid, const struct member_row *row)
{
    (void)row;
    struct source_difference *difference = context;
    if (!answer_has(difference, uid)) {
        difference->result = remember_removed(difference, uid);
    }
    return difference->result == ERR_OK;
}

/* From the names, which have come to their last place. */
static enum err list_removed(struct source_difference *difference)
{
    const uint32_t count = difference->removed_count;
    if (count == 0) {
        return ERR_OK;
    }
    difference->removed =
        memory_acquire(difference->budget, MEMORY_RANK_READ, count * sizeof(struct bytes));
    if (difference->removed == NULL) {
        return ERR_BUDGET;
    }
    difference->removed_capacity = count;
    struct reader reader =
        reader_of((struct bytes){.data = difference->names, .size = difference->names_size});
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t size = reader_u16(&reader);
        difference->removed[i] = reader_bytes(&reader, size);
    }
    return ERR_OK;
}

enum err source_difference_make(struct source_difference *difference, struct source_uids *answer,
                                struct store *store, struct list_ref list)
{
    *difference = (struct source_difference){.budget = answer->budget, .answer = answer};
    enum err err = ERR_OK;
    if (list.channel.number != 0) {
        const struct member_page page = {
            .list = list, .count_max = UINT32_MAX, .visit = visit_member, .context = difference};
        err = store_read_members(store, STORE_MAY_BLOCK, &page);
        err = err == ERR_OK ? difference->result : err;
    }
    if (err == ERR_OK) {
        err = list_removed(difference);
    }
    if (err != ERR_OK) {
        source_difference_clear(difference);
        return err;
    }
    while (difference->answer_at < answer->count) {
        answer->items[difference->added_count++] = answer->items[difference->answer_at++];
    }
    answer->count = difference->added_count;
    return ERR_OK;
}

void source_difference_clear(struct source_difference *difference)
{
    if (difference->removed != NULL) {
        memory_release(difference->budget, difference->removed,
                       difference->removed_capacity * sizeof(struct bytes));
    }
    if (difference->names != NULL) {
        memory_release(difference->budget, difference->names, difference->names_capacity);
    }
    *difference = (struct source_difference){.budget = difference->budget};
}
