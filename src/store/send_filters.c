#include "store/send_filters.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "store/sends.h"

#define LINE_BYTES        64u /* the bits of one send lie in one cache line */
#define LINE_BITS         (LINE_BYTES * 8u)
#define BITS_PER_SEND     16u
#define PROBES            6u
#define BYTES_PER_BUCKET  512u
#define OVERFULL_MAX      2u /* times its capacity: then one in fifty is wrong */
#define HASH_MULTIPLIER_A 0x9e3779b97f4a7c15ull
#define HASH_MULTIPLIER_B 0xc2b2ae3d27d4eb4full

enum filter_state {
    FILTER_LOADING = 0,
    FILTER_READY,
};

/* The head of a block; the lines of the filter follow it. */
struct filter {
    uint64_t where;         /* the log */
    uint64_t unpaged_count; /* messages that are in no page */
    uint64_t page_at;       /* at this count somebody is told */
    uint32_t chain_next;
    uint32_t newer; /* neighbours in the list by use */
    uint32_t older;
    uint32_t count;
    uint32_t capacity;
    uint32_t grow_at;     /* at this count somebody is told */
    uint32_t lines_count; /* a power of two, less the one that this head is in */
    enum filter_state state;
    uint16_t order;  /* of the block */
    uint16_t rested; /* the low bits of filters->rests_count when it was last asked */
};

_Static_assert(sizeof(struct filter) == LINE_BYTES, "the head is the first line of its block");

static uint64_t where_of(struct log_ref log)
{
    return (uint64_t)log.channel.slot << 34 | (uint64_t)log.channel.number << 2 |
           (uint64_t)log.kind;
}

static struct filter *filter_at(const struct send_filters *filters, uint32_t place)
{
    return buddy_at(&filters->buddy, place);
}

static uint32_t *bucket_of(const struct send_filters *filters, uint64_t where)
{
    const uint64_t hash = where * HASH_MULTIPLIER_A;
    return &filters->buckets[(hash >> 32) & (filters->buckets_count - 1)];
}

/* The log's filter in that state; one log has at most one of each. */
static uint32_t filter_find(const struct send_filters *filters, struct log_ref log,
                            enum filter_state state)
{
    const uint64_t where = where_of(log);
    uint32_t place = *bucket_of(filters, where);
    while (place != BUDDY_NONE && (filter_at(filters, place)->where != where ||
                                   filter_at(filters, place)->state != state)) {
        place = filter_at(filters, place)->chain_next;
    }
    return place;
}

/* The list by use. */

static void use_remove(struct send_filters *filters, const struct filter *filter)
{
    if (filter->newer != BUDDY_NONE) {
        filter_at(filters, filter->newer)->older = filter->older;
    } else {
        filters->newest = filter->older;
    }
    if (filter->older != BUDDY_NONE) {
        filter_at(filters, filter->older)->newer = filter->newer;
    } else {
        filters->oldest = filter->newer;
    }
}

static void use_add(struct send_filters *filters, uint32_t place)
{
    struct filter *filter = filter_at(filters, place);
    filter->newer = BUDDY_NONE;
    filter->older = filters->newest;
    if (filters->newest != BUDDY_NONE) {
        filter_at(filters, filters->newest)->newer = place;
    } else {
        filters->oldest = place;
    }
    filters->newest = place;
}

static void use_touch(struct send_filters *filters, uint32_t place)
{
    filter_at(filters, place)->rested = (uint16_t)filters->rests_count;
    if (filters->newest != place) {
        use_remove(filters, filter_at(filters, place));
        use_add(filters, place);
    }
}

static void filter_release(struct send_filters *filters, uint32_t place)
{
    struct filter *filter = filter_at(filters, place);
    uint32_t *link = bucket_of(filters, filter->where);
    while (*link != place) {
        link = &filter_at(filters, *link)->chain_next;
    }
    *link = filter->chain_next;
    use_remove(filters, filter);
    buddy_release(&filters->buddy, place);
}

/* Gives up what was used longest ago until a block is free. What is loading stays. */
static uint32_t filter_acquire(struct send_filters *filters, uint32_t order)
{
    uint32_t place = buddy_acquire(&filters->buddy, order);
    uint32_t victim = filters->oldest;
    while (place == BUDDY_NONE && victim != BUDDY_NONE) {
        const struct filter *filter = filter_at(filters, victim);
        const uint32_t newer = filter->newer;
        if (filter->state == FILTER_READY) {
            filter_release(filters, victim);
            place = buddy_acquire(&filters->buddy, order);
        }
        victim = newer;
    }
    return place;
}

/* The bits. */

static uint64_t *line_of(struct filter *filter, uint64_t send)
{
    const uint64_t hash = send * HASH_MULTIPLIER_A;
    const uint64_t index = (hash >> 32) * filter->lines_count >> 32;
    return (uint64_t *)(void *)filter + (1 + index) * (LINE_BYTES / sizeof(uint64_t));
}

/* Sets the bits of a send; true: all were set already. */
static bool line_set(uint64_t *line, uint64_t send)
{
    uint64_t hash = send * HASH_MULTIPLIER_B;
    bool is_set = true;
    for (uint32_t i = 0; i < PROBES; i++) {
        const uint64_t bit = hash >> 55; /* 9 bits: one of the 512 of a line */
        is_set = is_set && (line[bit / 64] >> bit % 64 & 1) != 0;
        line[bit / 64] |= 1ull << bit % 64;
        hash <<= 9;
    }
    return is_set;
}

static bool line_has(const uint64_t *line, uint64_t send)
{
    uint64_t hash = send * HASH_MULTIPLIER_B;
    for (uint32_t i = 0; i < PROBES; i++) {
        const uint64_t bit = hash >> 55;
        if ((line[bit / 64] >> bit % 64 & 1) == 0) {
            return false;
        }
        hash <<= 9;
    }
    return true;
}

static void filter_add(struct filter *filter, uint64_t send)
{
    if (send != 0 && !line_set(line_of(filter, send), send)) {
        filter->count++;
    }
}

/* Public. */

enum err send_filters_open(struct send_filters *filters, struct budget *budget, uint64_t bytes)
{
    const enum err err = buddy_open(&filters->buddy, budget, bytes);
    if (err != ERR_OK) {
        return err;
    }
    filters->budget = budget;
    filters->buckets_count = 1;
    while (filters->buckets_count < buddy_bytes(&filters->buddy) / BYTES_PER_BUCKET) {
        filters->buckets_count *= 2;
    }
    filters->buckets = memory_acquire(budget, MEMORY_RANK_ADMIT,
                                      filters->buckets_count * sizeof(*filters->buckets));
    if (filters->buckets == NULL) {
        buddy_close(&filters->buddy);
        return ERR_BUDGET;
    }
    memset(filters->buckets, 0xff, filters->buckets_count * sizeof(*filters->buckets));
    filters->newest = BUDDY_NONE;
    filters->oldest = BUDDY_NONE;
    filters->rests_count = 0;
    monitor_init(&filters->monitor);
    return ERR_OK;
}

void send_filters_close(struct send_filters *filters)
{
    if (filters->buckets == NULL) {
        return;
    }
    memory_release(filters->budget, filters->buckets,
                   filters->buckets_count * sizeof(*filters->buckets));
    filters->buckets = NULL;
    buddy_close(&filters->buddy);
    monitor_deinit(&filters->monitor);
}

uint64_t send_filters_bytes(const struct send_filters *filters)
{
    return buddy_bytes(&filters->buddy) +
           memory_cost(filters->buckets_count * sizeof(*filters->buckets));
}

uint64_t send_filters_resident(const struct send_filters *filters)
{
    return memory_table_resident(filters->buddy.region, buddy_bytes(&filters->buddy)) +
           memory_cost(filters->buckets_count * sizeof(*filters->buckets));
}

void send_filters_clear(struct send_filters *filters)
{
    monitor_enter(&filters->monitor);
    while (filters->oldest != BUDDY_NONE) {
        filter_release(filters, filters->oldest);
    }
    monitor_leave(&filters->monitor);
}

uint64_t send_filters_rest(struct send_filters *filters)
{
    uint64_t bytes = 0;
    monitor_enter(&filters->monitor);
    filters->rests_count++;
    uint32_t place = filters->oldest;
    while (place != BUDDY_NONE) {
        const struct filter *filter = filter_at(filters, place);
        const uint32_t newer = filter->newer;
        if ((uint16_t)(filters->rests_count - filter->rested) < 2) {
            break; /* and so are all newer ones */
        }
        if (filter->state == FILTER_READY) {
            bytes += (uint64_t)BUDDY_UNIT_BYTES << filter->order;
            filter_release(filters, place);
        }
        place = newer;
    }
    if (bytes > 0) {
        buddy_forget(&filters->buddy);
    }
    monitor_leave(&filters->monitor);
    return bytes;
}

/* Is it time to tell somebody that the log should be tended? Told again if nobody does it. */
static bool filter_tells(struct filter *filter)
{
    bool tells = false;
    if (filter->unpaged_count >= filter->page_at) {
        filter->page_at = filter->unpaged_count + SENDS_UNPAGED_MAX;
        tells = true;
    }
    if (filter->count >= filter->grow_at) {
        filter->grow_at = filter->count + filter->capacity / 8 + 1;
        tells = true;
    }
    return tells;
}

enum send_answer send_filters_ask(struct send_filters *filters, struct log_ref log, uint64_t send,
                                  bool *out_wants_care)
{
    enum send_answer answer = SEND_IS_UNKNOWN;
    *out_wants_care = false;
    monitor_enter(&filters->monitor);
    const uint32_t place = filter_find(filters, log, FILTER_READY);
    if (place != BUDDY_NONE) {
        struct filter *filter = filter_at(filters, place);
        use_touch(filters, place);
        if (filter->count <= OVERFULL_MAX * filter->capacity) {
            answer = line_has(line_of(filter, send), send) ? SEND_IS_KNOWN_PERHAPS : SEND_IS_NEW;
        }
        *out_wants_care = filter_tells(filter);
    }
    monitor_leave(&filters->monitor);
    return answer;
}

enum send_care send_filters_care(struct send_filters *filters, struct log_ref log)
{
    enum send_care care = SEND_CARE_LOAD;
    monitor_enter(&filters->monitor);
    const uint32_t place = filter_find(filters, log, FILTER_READY);
    if (place != BUDDY_NONE) {
        const struct filter *filter = filter_at(filters, place);
        if (filter->count <= filter->capacity) {
            care = filter->unpaged_count >= SENDS_UNPAGED_MAX ? SEND_CARE_PAGE : SEND_CARE_NONE;
        }
    }
    monitor_leave(&filters->monitor);
    return care;
}

/* Makes room for a filter of twice `count`, so that it need not be made again soon. */
static bool filter_begin(struct send_filters *filters, struct log_ref log, uint64_t count)
{
    if (filter_find(filters, log, FILTER_LOADING) != BUDDY_NONE) {
        return false;
    }
    const uint64_t bits = (count + count / 4) * BITS_PER_SEND;
    const uint32_t order = buddy_order(LINE_BYTES + bits / 8 + LINE_BYTES);
    const uint32_t place = filter_acquire(filters, order);
    if (place == BUDDY_NONE) {
        return false;
    }
    const uint32_t lines_count = (BUDDY_UNIT_BYTES << order) / LINE_BYTES - 1;
    struct filter *filter = filter_at(filters, place);
    memset(filter, 0, BUDDY_UNIT_BYTES << order);
    uint32_t *bucket = bucket_of(filters, where_of(log));
    filter->where = where_of(log);
    filter->page_at = SENDS_UNPAGED_MAX;
    filter->capacity = lines_count * (LINE_BITS / BITS_PER_SEND);
    filter->grow_at = filter->capacity + 1;
    filter->lines_count = lines_count;
    filter->state = FILTER_LOADING;
    filter->order = (uint16_t)order;
    filter->rested = (uint16_t)filters->rests_count;
    filter->chain_next = *bucket;
    *bucket = place;
    use_add(filters, place);
    return true;
}

bool send_filters_begin(struct send_filters *filters, struct log_ref log, uint64_t count)
{
    monitor_enter(&filters->monitor);
    const bool is_ours = filter_begin(filters, log, count);
    monitor_leave(&filters->monitor);
    return is_ours;
}

void send_filters_load(struct send_filters *filters, struct log_ref log, const uint64_t *sends,
                       uint32_t count)
{
    monitor_enter(&filters->monitor);
    const uint32_t place = filter_find(filters, log, FILTER_LOADING);
    ASSERT(place != BUDDY_NONE); /* what is loading is not given up */
    struct filter *filter = filter_at(filters, place);
    for (uint32_t i = 0; i < count; i++) {
        filter_add(filter, sends[i]);
    }
    monitor_leave(&filters->monitor);
}

void send_filters_finish(struct send_filters *filters, struct log_ref log, bool is_loaded,
                         uint64_t unpaged_count)
{
    monitor_enter(&filters->monitor);
    const uint32_t place = filter_find(filters, log, FILTER_LOADING);
    ASSERT(place != BUDDY_NONE);
    struct filter *filter = filter_at(filters, place);
    filter->unpaged_count += unpaged_count;
    if (is_loaded) {
        const uint32_t before = filter_find(filters, log, FILTER_READY);
        if (before != BUDDY_NONE) {
            filter_release(filters, before);
        }
        filter->state = FILTER_READY;
    } else {
        filter_release(filters, place);
    }
    monitor_leave(&filters->monitor);
}

void send_filters_paged(struct send_filters *filters, struct log_ref log, uint64_t unpaged_count)
{
    monitor_enter(&filters->monitor);
    const uint32_t place = filter_find(filters, log, FILTER_READY);
    if (place != BUDDY_NONE) {
        filter_at(filters, place)->unpaged_count = unpaged_count;
        filter_at(filters, place)->page_at = SENDS_UNPAGED_MAX;
    }
    monitor_leave(&filters->monitor);
}

void send_filters_enter(struct send_filters *filters)
{
    monitor_enter(&filters->monitor);
}

void send_filters_leave(struct send_filters *filters)
{
    monitor_leave(&filters->monitor);
}

void send_filters_add(struct send_filters *filters, struct log_ref log, uint64_t send)
{
    const uint64_t where = where_of(log);
    uint32_t place = *bucket_of(filters, where);
    while (place != BUDDY_NONE) { /* the one in use, and the one that loads */
        struct filter *filter = filter_at(filters, place);
        if (filter->where == where) {
            filter->unpaged_count++;
            filter_add(filter, send);
        }
        place = filter->chain_next;
    }
}
