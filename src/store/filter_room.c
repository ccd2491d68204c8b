#include "store/filter_room.h"

#include "base/assert.h"
#include "memory/allocator.h"

#include <string.h>

#define BYTES_PER_BUCKET 128u
#define DEAD_PART        8u /* while so small a part of the region is dead, some are given up */
/* Records that one filter_room_make passes over: so many may stay, of so many more none does. */
#define PASSES_MILD 64u
#define PASSES_HARD 192u
#define PASSES_REST 64u /* of one step of a rest */
#define LAPS_MAX    3u  /* of the gap, until it is said that there is no room */

#define HASH_MULTIPLIER   0x9e3779b97f4a7c15ull
#define CHANCE_MULTIPLIER 6364136223846793005ull
#define CHANCE_STEP       1442695040888963407ull

/* How the gap passes a record that is alive. */
enum pass {
    PASS_MILD = 0, /* it is given up if nobody used it, now and then */
    PASS_HARD,     /* it is given up */
    PASS_REST,     /* it is given up if it is as old as a rest wants */
};

static struct filter_record *record_at(const struct filter_room *room, uint32_t begin)
{
    return (struct filter_record *)(void *)(room->region +
                                            (uint64_t)begin * FILTER_ROOM_UNIT_BYTES);
}

static uint32_t begin_of(const struct filter_room *room, const struct filter_record *record)
{
    return (uint32_t)((uint64_t)((const uint8_t *)record - room->region) / FILTER_ROOM_UNIT_BYTES);
}

/* Chains. */

static uint32_t *bucket_of(const struct filter_room *room, uint64_t key)
{
    return &room->buckets[(key * HASH_MULTIPLIER) >> 32 & room->buckets_mask];
}

static void record_link(struct filter_room *room, struct filter_record *record, uint64_t key)
{
    uint32_t *bucket = bucket_of(room, key);
    record->key = key & ((1ull << FILTER_ROOM_KEY_BITS) - 1);
    record->next = *bucket;
    *bucket = begin_of(room, record) + 1;
}

/* What says where the record is. */
static uint32_t *link_of(const struct filter_room *room, const struct filter_record *record)
{
    const uint32_t place = begin_of(room, record) + 1;
    uint32_t *link = bucket_of(room, record->key);
    while (*link != place) {
        ASSERT(*link != 0);
        link = &record_at(room, *link - 1)->next;
    }
    return link;
}

struct filter_record *filter_room_find(const struct filter_room *room, uint64_t key)
{
    ASSERT(key != 0);
    uint32_t place = *bucket_of(room, key);
    while (place != 0) {
        struct filter_record *record = record_at(room, place - 1);
        if (record->key == key) {
            return record;
        }
        place = record->next;
    }
    return NULL;
}

void filter_room_use(const struct filter_room *room, struct filter_record *record)
{
    record->is_used = true;
    record->rested = room->rests_count & 0xff;
}

void filter_room_rename(struct filter_room *room, struct filter_record *record, uint64_t key)
{
    *link_of(room, record) = record->next;
    record_link(room, record, key);
}

void filter_room_release(struct filter_room *room, struct filter_record *record)
{
    if (record->key != 0) {
        *link_of(room, record) = record->next;
    }
    if (begin_of(room, record) + record->units == room->gap_begin) {
        room->gap_begin -= record->units;
        return;
    }
    record->is_dead = true;
    room->dead_units += record->units;
}

/* The gap. */

static bool record_is_old(struct filter_room *room, const struct filter_record *record,
                          enum pass pass)
{
    if (record->is_kept) {
        return false;
    }
    switch (pass) {
    case PASS_MILD:
        room->chance = room->chance * CHANCE_MULTIPLIER + CHANCE_STEP;
        return !record->is_used && room->dead_units < room->units_count / DEAD_PART &&
               room->chance >> 63 != 0;
    case PASS_HARD:
        return true;
    case PASS_REST:
        return ((room->rests_count - record->rested) & 0xff) >= 2;
    }
    UNREACHABLE();
}

/* To the other side of the gap. */
static void record_move(struct filter_room *room, struct filter_record *record)
{
    struct filter_record *there = record_at(room, room->gap_begin);
    if (there == record) {
        return;
    }
    if (record->key != 0) {
        *link_of(room, record) = room->gap_begin + 1;
    }
    memmove(there, record, filter_record_bytes(record));
}

/* Passes over the record behind the gap, or the end of the region; gives the units of a record that
 * was given up. */
static uint32_t gap_pass(struct filter_room *room, enum pass pass)
{
    if (room->gap_end == room->used_end) {
        if (room->gap_end == room->units_count) {
            room->used_end = room->gap_begin;
            room->gap_begin = 0;
            room->gap_end = 0;
            room->laps_count++;
        } else {
            room->gap_end = room->units_count;
            room->used_end = room->units_count;
        }
        return 0;
    }
    struct filter_record *record = record_at(room, room->gap_end);
    const uint32_t units = record->units;
    uint32_t given_up = 0;
    if (record->is_dead) {
        room->dead_units -= units;
    } else if (record_is_old(room, record, pass)) {
        *link_of(room, record) = record->next;
        given_up = units;
    } else {
        record->is_used = record->is_used && pass == PASS_REST;
        record_move(room, record);
        room->gap_begin += units;
    }
    room->gap_end += units;
    return given_up;
}

/* Public. */

enum err filter_room_open(struct filter_room *room, struct budget *budget, uint64_t bytes)
{
    uint32_t buckets_count = 1;
    while (2ull * buckets_count <= bytes / BYTES_PER_BUCKET) {
        buckets_count *= 2;
    }
    const uint64_t buckets_bytes = buckets_count * sizeof(*room->buckets);
    ASSERT(bytes >= 2 * buckets_bytes);
    ASSERT(bytes / FILTER_ROOM_UNIT_BYTES < UINT32_MAX);
    const enum err err = budget_charge(budget, MEMORY_RANK_ADMIT, bytes);
    if (err != ERR_OK) {
        return err;
    }
    void *table = memory_table_acquire(bytes);
    if (table == NULL) {
        budget_refund(budget, bytes);
        return ERR_BUDGET;
    }
    const uint32_t units_count = (uint32_t)((bytes - buckets_bytes) / FILTER_ROOM_UNIT_BYTES);
    *room = (struct filter_room){
        .budget = budget,
        .bytes = bytes,
        .region = (uint8_t *)table + buckets_bytes,
        .buckets = table,
        .buckets_mask = buckets_count - 1,
        .units_count = units_count,
        .gap_end = units_count,
        .used_end = units_count,
    };
    return ERR_OK;
}

void filter_room_close(struct filter_room *room)
{
    if (room->buckets == NULL) {
        return;
    }
    memory_table_release(room->buckets, room->bytes);
    budget_refund(room->budget, room->bytes);
    room->buckets = NULL;
}

uint64_t filter_room_bytes(const struct filter_room *room)
{
    return room->bytes;
}

uint64_t filter_room_resident(const struct filter_room *room)
{
    return memory_table_resident(room->buckets, room->bytes);
}

uint64_t filter_room_record_bytes_max(const struct filter_room *room)
{
    return (uint64_t)room->units_count / 4 * 3 * FILTER_ROOM_UNIT_BYTES;
}

uint64_t filter_room_passes_max(const struct filter_room *room)
{
    return (uint64_t)LAPS_MAX * room->units_count;
}

/* Makes the gap large enough, or not yet. */
static bool gap_widen(struct filter_room *room, uint64_t units, uint64_t *inout_passed)
{
    for (uint32_t passes = 0; room->gap_end - room->gap_begin < units; passes++) {
        if (passes == PASSES_MILD + PASSES_HARD) {
            return false;
        }
        const uint32_t before = room->gap_end;
        (void)gap_pass(room, passes < PASSES_MILD ? PASS_MILD : PASS_HARD);
        *inout_passed += room->gap_end > before ? room->gap_end - before : 1;
    }
    return true;
}

struct filter_record *filter_room_make(struct filter_room *room, uint64_t key, uint64_t bytes,
                                       uint64_t *inout_passed)
{
    const uint64_t units = (bytes + FILTER_ROOM_UNIT_BYTES - 1) / FILTER_ROOM_UNIT_BYTES;
    if (bytes > filter_room_record_bytes_max(room)) {
        *inout_passed = filter_room_passes_max(room);
        return NULL;
    }
    if (!gap_widen(room, units, inout_passed)) {
        return NULL;
    }
    struct filter_record *record = record_at(room, room->gap_begin);
    memset(record, 0, units * FILTER_ROOM_UNIT_BYTES);
    record->units = (uint32_t)units;
    if (key != 0) {
        record_link(room, record, key);
    }
    filter_room_use(room, record);
    room->gap_begin += (uint32_t)units;
    return record;
}

struct filter_record *filter_room_resize(struct filter_room *room, struct filter_record *record,
                                         uint64_t bytes)
{
    const uint64_t key = record->key;
    const bool is_kept = record->is_kept;
    uint64_t passed = 0;
    ASSERT(bytes >= filter_record_bytes(record));
    record->is_kept = true;
    struct filter_record *longer = filter_room_make(room, 0, bytes, &passed);
    record = filter_room_find(room, key);
    ASSERT(record != NULL);
    record->is_kept = is_kept;
    if (longer == NULL) {
        return NULL;
    }
    memcpy(longer + 1, record + 1, filter_record_bytes(record) - sizeof(*record));
    longer->is_kept = is_kept;
    longer->form = record->form;
    longer->is_lossy = record->is_lossy;
    filter_room_release(room, record);
    record_link(room, longer, key);
    return longer;
}

void filter_room_clear(struct filter_room *room)
{
    memset(room->buckets, 0, (room->buckets_mask + 1) * sizeof(*room->buckets));
    room->gap_begin = 0;
    room->gap_end = room->units_count;
    room->used_end = room->units_count;
    room->dead_units = 0;
}

void filter_room_rest_begin(struct filter_room *room)
{
    room->rests_count++;
    room->rest_lap = room->laps_count + 1;
}

/* The gap goes to the end of the region, and once more from its beginning to its end: then it has
 * passed over all, and what is free lies together. */
bool filter_room_rest_step(struct filter_room *room, uint64_t *out_bytes)
{
    *out_bytes = 0;
    for (uint32_t passes = 0; passes < PASSES_REST; passes++) {
        if ((int32_t)(room->laps_count - room->rest_lap) >= 0 &&
            room->gap_end == room->units_count) {
            memory_table_forget(record_at(room, room->gap_begin),
                                (uint64_t)(room->gap_end - room->gap_begin) *
                                    FILTER_ROOM_UNIT_BYTES);
            return false;
        }
        *out_bytes += (uint64_t)gap_pass(room, PASS_REST) * FILTER_ROOM_UNIT_BYTES;
    }
    return true;
}
