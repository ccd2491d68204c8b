/*
 * filter_room.h -- room for the filters of many logs: records of any size in one region.
 *
 * Most logs are short and a few are long, and all of them grow. Records of whole units lie
 * side by side, and one gap goes round the region: a new record is laid at the beginning
 * of the gap; when the gap is too small, the record behind it is passed over, which means
 * that it is moved to the gap's other side, or given up, so that the gap grows. So there
 * is no waste but for the last unit of a record and for dead records that the gap has not
 * reached yet.
 *
 *     | records | gap | records | not in use until the gap comes round |
 *
 * What is given up: nothing while the dead make up a good part; else records that nobody
 * used since the gap came by, and of these every other one by chance, so that logs that
 * are written in turn, some more than there is room for, do not each lose their record
 * just before their turn.
 *
 * Records have keys and are found by them. A pointer to a record holds until the next
 * filter_room_make, _resize or _rest: records move.
 *
 * The region is touched as it is used. Not thread-safe. Private to the store layer.
 */
#pragma once

#include "base/err.h"
#include "memory/budget.h"

#include <stdbool.h>
#include <stdint.h>

#define FILTER_ROOM_UNIT_BYTES 32u
#define FILTER_ROOM_KEY_BITS   48u

/* The head of a record; what it holds follows. */
struct filter_record {
    uint64_t key : FILTER_ROOM_KEY_BITS; /* 0: not found by any */
    uint64_t rested : 8;                 /* the low bits of rests_count when it was last used */
    uint64_t is_used : 1;                /* since the gap came by */
    uint64_t is_kept : 1;                /* it may move, but is not given up */
    uint64_t is_dead : 1;
    uint64_t form : 2;     /* the owner's, as is the next */
    uint64_t is_lossy : 1; /* what it holds is not all */
    uint32_t next;         /* of its chain; a place */
    uint32_t units;
};

_Static_assert(sizeof(struct filter_record) == 16, "half a unit is left for what a record holds");

/* Private to filter_room.c. A place is a number of units, counted from 1; 0 is none. */
struct filter_room {
    struct budget *budget;
    uint64_t bytes; /* of the budget */
    uint8_t *region;
    uint32_t *buckets; /* the first record of each chain */
    uint32_t buckets_mask;
    uint32_t units_count;
    uint32_t gap_begin; /* of these three, numbers of units before */
    uint32_t gap_end;
    uint32_t used_end; /* where the records behind the gap end */
    uint32_t dead_units;
    uint32_t laps_count; /* of the gap; wraps */
    uint32_t rest_lap;   /* the one that ends the rest */
    uint32_t rests_count;
    uint64_t chance;
};

/* `bytes` in all, at least 64 KiB. ERR_BUDGET: it does not fit. */
MUST_USE enum err filter_room_open(struct filter_room *room, struct budget *budget, uint64_t bytes);
void filter_room_close(struct filter_room *room);

uint64_t filter_room_bytes(const struct filter_room *room);

/* How much of it is in memory now. */
uint64_t filter_room_resident(const struct filter_room *room);

/* The largest record that the room takes. */
uint64_t filter_room_record_bytes_max(const struct filter_room *room);

/* NULL: there is none. Whoever uses it tells filter_room_use. */
struct filter_record *filter_room_find(const struct filter_room *room, uint64_t key);
void filter_room_use(const struct filter_room *room, struct filter_record *record);

/* A record of at least `bytes`, head included, zeros behind the head. The key is not in use. NULL:
 * not yet: a bounded number of records was passed over, and what they take is added to
 * *inout_passed; once that is filter_room_passes_max or more, there is no room at all. */
struct filter_record *filter_room_make(struct filter_room *room, uint64_t key, uint64_t bytes,
                                       uint64_t *inout_passed);
uint64_t filter_room_passes_max(const struct filter_room *room);

/* A longer record with the same key and content; zeros behind it. NULL: there is no room, and the
 * record is where it was, or elsewhere: it is to be found again. */
struct filter_record *filter_room_resize(struct filter_room *room, struct filter_record *record,
                                         uint64_t bytes);

/* Gives the record another key, which is not in use. */
void filter_room_rename(struct filter_room *room, struct filter_record *record, uint64_t key);

void filter_room_release(struct filter_room *room, struct filter_record *record);

/* Releases all. */
void filter_room_clear(struct filter_room *room);

/* A rest: what was not used since the last rest but one is given up, and the pages that are free
 * then go back to the system. In steps, so that others come between: begun by
 * filter_room_rest_begin, done when filter_room_rest_step gives false. *out_bytes: of what was
 * given up by the step. */
void filter_room_rest_begin(struct filter_room *room);
bool filter_room_rest_step(struct filter_room *room, uint64_t *out_bytes);

/* inline definitions */

static inline uint64_t filter_record_bytes(const struct filter_record *record)
{
    return (uint64_t)record->units * FILTER_ROOM_UNIT_BYTES;
}
