#include "store/send_filters.h"

#include "base/assert.h"
#include "store/sends.h"

#include <stddef.h>

/* A log of so many messages has tags, and is to have a Bloom filter when it has more. */
#define TAGS_MESSAGES_MAX 256u
#define TAGS_MAX          512u /* by then somebody should have loaded one */
#define TAGS_TELL_STEP    64u  /* after so many more messages somebody is told again */

#define LINE_BYTES        64u /* the bits of one send lie in 64 bytes */
#define LINE_BITS         (LINE_BYTES * 8u)
#define BITS_PER_SEND     14u /* of a filter that is full: then one in five hundred is wrong */
#define BITS_PER_SEND_MIN 8u  /* of one that is overfull: then one in fifty is wrong */
#define PROBES            7u

#define HASH_MULTIPLIER_A 0x9e3779b97f4a7c15ull
#define HASH_MULTIPLIER_B 0xc2b2ae3d27d4eb4full

enum filter_form {
    FILTER_TAGS = 1,
    FILTER_LINES,
};

/* The filter of a short log. */
struct tags {
    struct filter_record record;
    uint16_t count;
    uint16_t messages_count; /* of the log; UINT16_MAX: that or more */
    uint16_t tell_at;        /* at this number of messages somebody is told */
    uint16_t tags[];
};

/* That of a long one: the lines follow it. */
struct lines {
    struct filter_record record;
    uint32_t count;
    uint32_t capacity;
    uint32_t grow_at; /* at this count somebody is told */
    uint32_t lines_count;
    uint64_t unpaged_count; /* messages that are in no page */
    uint64_t page_at;       /* at this count somebody is told */
    uint64_t unused[2];
};

#define TAGS_HEAD_BYTES offsetof(struct tags, tags)

_Static_assert(sizeof(struct lines) == LINE_BYTES, "the head takes no more than a line");
_Static_assert(TAGS_HEAD_BYTES + 5 * sizeof(uint16_t) == FILTER_ROOM_UNIT_BYTES,
               "five tags fit into a unit");

enum filter_state {
    FILTER_LOADING = 0,
    FILTER_READY,
};

/* One log has at most one of each state. */
static uint64_t key_of(struct log_ref log, enum filter_state state)
{
    return (uint64_t)log.channel.slot << 35 | (uint64_t)log.channel.number << 3 |
           (uint64_t)log.kind << 1 | (uint64_t)state;
}

static struct filter_record *filter_find(const struct send_filters *filters, struct log_ref log,
                                         enum filter_state state)
{
    return filter_room_find(&filters->room, key_of(log, state));
}

/* Tags. */

static struct tags *tags_of(struct filter_record *filter)
{
    ASSERT(filter->form == FILTER_TAGS);
    return CONTAINER_OF(filter, struct tags, record);
}

static uint32_t tags_capacity(const struct tags *tags)
{
    return (uint32_t)((filter_record_bytes(&tags->record) - TAGS_HEAD_BYTES) / sizeof(uint16_t));
}

static uint64_t tags_bytes(uint64_t count)
{
    return TAGS_HEAD_BYTES + count * sizeof(uint16_t);
}

static bool tags_have(const struct tags *tags, uint64_t send)
{
    const uint16_t tag = (uint16_t)send;
    bool is_there = false;
    for (uint32_t i = 0; i < tags->count; i++) {
        is_there |= tags->tags[i] == tag;
    }
    return is_there;
}

/* Gives the tags with room for one more, perhaps elsewhere; NULL: there is none. */
static struct tags *tags_widen(struct send_filters *filters, struct tags *tags)
{
    if (tags->count < tags_capacity(tags)) {
        return tags;
    }
    if (tags->count >= TAGS_MAX) {
        return NULL;
    }
    const uint64_t bytes = filter_record_bytes(&tags->record) + FILTER_ROOM_UNIT_BYTES;
    struct filter_record *longer = filter_room_resize(&filters->room, &tags->record, bytes);
    return longer == NULL ? NULL : tags_of(longer);
}

/* The tags may be elsewhere afterwards, or gone. */
static void tags_add(struct send_filters *filters, struct tags *tags, uint64_t send)
{
    if (send == 0 || tags_have(tags, send)) {
        return;
    }
    const uint64_t key = tags->record.key;
    struct tags *wide = tags_widen(filters, tags);
    if (wide != NULL) {
        wide->tags[wide->count++] = (uint16_t)send;
        return;
    }
    struct filter_record *filter = filter_room_find(&filters->room, key);
    if (filter->is_kept) { /* it is being loaded, and whoever does so finds it lossy */
        filter->is_lossy = true;
    } else {
        filter_room_release(&filters->room, filter);
    }
}

/* So many more messages of its log are known. */
static void tags_count_messages(struct tags *tags, uint32_t count)
{
    const uint64_t sum = (uint64_t)tags->messages_count + count;
    tags->messages_count = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
}

/* Lines. */

static struct lines *lines_of(struct filter_record *filter)
{
    ASSERT(filter->form == FILTER_LINES);
    return CONTAINER_OF(filter, struct lines, record);
}

static uint64_t *line_of(struct lines *lines, uint64_t send)
{
    const uint64_t hash = send * HASH_MULTIPLIER_A;
    const uint64_t index = (hash >> 32) * lines->lines_count >> 32;
    return (uint64_t *)(void *)(lines + 1) + index * (LINE_BYTES / sizeof(uint64_t));
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

static void lines_add(struct lines *lines, uint64_t send)
{
    if (send != 0 && !line_set(line_of(lines, send), send)) {
        lines->count++;
    }
}

static bool lines_are_overfull(const struct lines *lines)
{
    return (uint64_t)lines->count * BITS_PER_SEND_MIN > (uint64_t)lines->lines_count * LINE_BITS;
}

/* Both. */

static void filter_add(struct send_filters *filters, struct filter_record *filter, uint64_t send)
{
    if (filter->form == FILTER_TAGS) {
        tags_add(filters, tags_of(filter), send);
    } else {
        lines_add(lines_of(filter), send);
    }
}

static enum send_answer filter_ask(struct filter_record *filter, uint64_t send)
{
    bool is_there = false;
    if (filter->form == FILTER_TAGS) {
        is_there = tags_have(tags_of(filter), send);
    } else {
        struct lines *lines = lines_of(filter);
        if (lines_are_overfull(lines)) {
            return SEND_IS_UNKNOWN;
        }
        is_there = line_has(line_of(lines, send), send);
    }
    return is_there ? SEND_IS_KNOWN_PERHAPS : SEND_IS_NEW;
}

/* Is it time to tell somebody that the log should be tended? Told again if nobody does it. */
static bool filter_tells(struct filter_record *filter)
{
    bool tells = false;
    if (filter->form == FILTER_TAGS) {
        struct tags *tags = tags_of(filter);
        if (tags->messages_count >= tags->tell_at) {
            const uint32_t at = (uint32_t)tags->messages_count + TAGS_TELL_STEP;
            tags->tell_at = (uint16_t)(at < UINT16_MAX ? at : UINT16_MAX);
            tells = true;
        }
        return tells;
    }
    struct lines *lines = lines_of(filter);
    if (lines->unpaged_count >= lines->page_at) {
        lines->page_at = lines->unpaged_count + SENDS_UNPAGED_MAX;
        tells = true;
    }
    if (lines->count >= lines->grow_at) {
        lines->grow_at = lines->count + lines->capacity / 8 + 1;
        tells = true;
    }
    return tells;
}

static enum send_care filter_care(struct filter_record *filter)
{
    if (filter->form == FILTER_TAGS) {
        const bool is_long = tags_of(filter)->messages_count > TAGS_MESSAGES_MAX;
        return is_long ? SEND_CARE_LOAD : SEND_CARE_NONE;
    }
    const struct lines *lines = lines_of(filter);
    if (lines->count > lines->capacity) {
        return SEND_CARE_LOAD;
    }
    return lines->unpaged_count >= SENDS_UNPAGED_MAX ? SEND_CARE_PAGE : SEND_CARE_NONE;
}

/* NULL: there is no room. */
static struct tags *tags_make(struct send_filters *filters, uint64_t key, uint64_t count,
                              uint64_t *inout_passed)
{
    struct filter_record *filter =
        filter_room_make(&filters->room, key, tags_bytes(count + 1), inout_passed);
    if (filter == NULL) {
        return NULL;
    }
    filter->form = FILTER_TAGS;
    struct tags *tags = tags_of(filter);
    tags->tell_at = TAGS_MESSAGES_MAX + 1;
    return tags;
}

/* With room for as many more, since all of the log is read when it has to be made again; less if
 * that is more than a log may have. */
static struct lines *lines_make(struct send_filters *filters, uint64_t key, uint64_t count,
                                uint64_t *inout_passed)
{
    const uint64_t wanted = 2 * count * BITS_PER_SEND / LINE_BITS + 1;
    const uint64_t most =
        (filter_room_record_bytes_max(&filters->room) - sizeof(struct lines)) / LINE_BYTES;
    const uint64_t lines_count = wanted < most ? wanted : most;
    if (lines_count * LINE_BITS < count * BITS_PER_SEND_MIN) {
        *inout_passed = UINT64_MAX;
        return NULL;
    }
    struct filter_record *filter = filter_room_make(
        &filters->room, key, sizeof(struct lines) + lines_count * LINE_BYTES, inout_passed);
    if (filter == NULL) {
        return NULL;
    }
    filter->form = FILTER_LINES;
    struct lines *lines = lines_of(filter);
    lines->page_at = SENDS_UNPAGED_MAX;
    lines->lines_count = (uint32_t)lines_count;
    lines->capacity = (uint32_t)(lines_count * LINE_BITS / BITS_PER_SEND);
    lines->grow_at = lines->capacity + 1;
    return lines;
}

/* Public. */

enum err send_filters_open(struct send_filters *filters, struct budget *budget, uint64_t bytes)
{
    const enum err err = filter_room_open(&filters->room, budget, bytes);
    if (err == ERR_OK) {
        monitor_init(&filters->monitor);
    }
    return err;
}

void send_filters_close(struct send_filters *filters)
{
    if (filters->room.buckets == NULL) {
        return;
    }
    filter_room_close(&filters->room);
    monitor_deinit(&filters->monitor);
}

uint64_t send_filters_bytes(const struct send_filters *filters)
{
    return filter_room_bytes(&filters->room);
}

uint64_t send_filters_resident(const struct send_filters *filters)
{
    return filter_room_resident(&filters->room);
}

void send_filters_clear(struct send_filters *filters)
{
    monitor_enter(&filters->monitor);
    filter_room_clear(&filters->room);
    monitor_leave(&filters->monitor);
}

uint64_t send_filters_rest(struct send_filters *filters)
{
    uint64_t bytes = 0;
    bool is_resting = true;
    monitor_enter(&filters->monitor);
    filter_room_rest_begin(&filters->room);
    monitor_leave(&filters->monitor);
    while (is_resting) {
        uint64_t step_bytes = 0;
        monitor_enter(&filters->monitor);
        is_resting = filter_room_rest_step(&filters->room, &step_bytes);
        monitor_leave(&filters->monitor);
        bytes += step_bytes;
    }
    return bytes;
}

enum send_answer send_filters_ask(struct send_filters *filters, struct log_ref log, uint64_t send,
                                  bool *out_wants_care)
{
    enum send_answer answer = SEND_IS_UNKNOWN;
    *out_wants_care = false;
    monitor_enter(&filters->monitor);
    struct filter_record *filter = filter_find(filters, log, FILTER_READY);
    if (filter != NULL) {
        filter_room_use(&filters->room, filter);
        answer = filter_ask(filter, send);
        *out_wants_care = filter_tells(filter);
    }
    monitor_leave(&filters->monitor);
    return answer;
}

enum send_care send_filters_care(struct send_filters *filters, struct log_ref log)
{
    enum send_care care = SEND_CARE_LOAD;
    monitor_enter(&filters->monitor);
    struct filter_record *filter = filter_find(filters, log, FILTER_READY);
    if (filter != NULL) {
        care = filter_care(filter);
    }
    monitor_leave(&filters->monitor);
    return care;
}

/* One try; *inout_passed says how much was done for it. */
static bool filter_begin(struct send_filters *filters, struct log_ref log, uint64_t count,
                         uint64_t *inout_passed)
{
    const uint64_t key = key_of(log, FILTER_LOADING);
    if (filter_room_find(&filters->room, key) != NULL) {
        *inout_passed = UINT64_MAX; /* somebody else does it */
        return false;
    }
    const bool is_made = count <= TAGS_MESSAGES_MAX
                             ? tags_make(filters, key, count, inout_passed) != NULL
                             : lines_make(filters, key, count, inout_passed) != NULL;
    if (is_made) {
        filter_room_find(&filters->room, key)->is_kept = true;
    }
    return is_made;
}

bool send_filters_begin(struct send_filters *filters, struct log_ref log, uint64_t count)
{
    const uint64_t passes_max = filter_room_passes_max(&filters->room);
    uint64_t passed = 0;
    bool is_ours = false;
    while (!is_ours && passed < passes_max) { /* others come between */
        monitor_enter(&filters->monitor);
        is_ours = filter_begin(filters, log, count, &passed);
        monitor_leave(&filters->monitor);
    }
    return is_ours;
}

void send_filters_load(struct send_filters *filters, struct log_ref log, const uint64_t *sends,
                       uint32_t count)
{
    monitor_enter(&filters->monitor);
    struct filter_record *filter = filter_find(filters, log, FILTER_LOADING);
    ASSERT(filter != NULL); /* what is loading is not given up */
    if (filter->form == FILTER_TAGS) {
        tags_count_messages(tags_of(filter), count);
    }
    const bool may_move = filter->form == FILTER_TAGS;
    for (uint32_t i = 0; i < count; i++) {
        filter_add(filters, filter, sends[i]);
        filter = may_move ? filter_find(filters, log, FILTER_LOADING) : filter;
    }
    monitor_leave(&filters->monitor);
}

/* The filter that was loaded is the log's from now on. */
static void filter_publish(struct send_filters *filters, struct log_ref log,
                           struct filter_record *filter)
{
    struct filter_record *before = filter_find(filters, log, FILTER_READY);
    if (before != NULL) {
        filter_room_release(&filters->room, before);
    }
    filter->is_kept = false;
    filter_room_rename(&filters->room, filter, key_of(log, FILTER_READY));
}

void send_filters_finish(struct send_filters *filters, struct log_ref log, bool is_loaded,
                         uint64_t unpaged_count)
{
    monitor_enter(&filters->monitor);
    struct filter_record *filter = filter_find(filters, log, FILTER_LOADING);
    ASSERT(filter != NULL);
    if (filter->form == FILTER_LINES) {
        lines_of(filter)->unpaged_count += unpaged_count;
    }
    if (is_loaded && !filter->is_lossy) {
        filter_publish(filters, log, filter);
    } else {
        filter_room_release(&filters->room, filter);
    }
    monitor_leave(&filters->monitor);
}

void send_filters_paged(struct send_filters *filters, struct log_ref log, uint64_t unpaged_count)
{
    monitor_enter(&filters->monitor);
    struct filter_record *filter = filter_find(filters, log, FILTER_READY);
    if (filter != NULL && filter->form == FILTER_LINES) {
        lines_of(filter)->unpaged_count = unpaged_count;
        lines_of(filter)->page_at = SENDS_UNPAGED_MAX;
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

void send_filters_add(struct send_filters *filters, struct log_ref log, uint64_t send,
                      bool is_first)
{
    bool has_one = false;
    for (int state = FILTER_LOADING; state <= FILTER_READY; state++) {
        struct filter_record *filter = filter_find(filters, log, (enum filter_state)state);
        if (filter == NULL) {
            continue;
        }
        has_one = true;
        if (filter->form == FILTER_TAGS) {
            tags_count_messages(tags_of(filter), 1);
        } else {
            lines_of(filter)->unpaged_count++;
        }
        filter_add(filters, filter, send);
    }
    if (is_first && !has_one) { /* it is all that there is */
        uint64_t passed = 0;
        struct tags *tags = tags_make(filters, key_of(log, FILTER_READY), 1, &passed);
        if (tags != NULL) {
            tags_count_messages(tags, 1);
            tags_add(filters, tags, send);
        }
    }
}
