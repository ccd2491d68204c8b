#include "chat/shelf.h"

#include "base/assert.h"
#include "memory/allocator.h"

#define SHELF_WAYS 8u

/* A time has 48 bits, and a small number the 16 below them. What does not fit is not put there. */
#define SMALL_BITS 16u
#define SMALL_MAX  UINT16_MAX
#define TIME_BITS  48u

struct shelf_entry {
    uint64_t hash;                /* 0: empty */
    uint64_t created_and_flags;   /* ms, flags of the row */
    uint64_t updated_and_command; /* ms, last seq of the command log */
    uint32_t number;
    uint32_t chat_seq;
};

_Static_assert(sizeof(struct shelf_entry) == 32, "as the header says");

struct shelf_set {
    struct shelf_entry entries[SHELF_WAYS];
};

void shelf_init(struct shelf *shelf, struct budget *budget)
{
    *shelf = (struct shelf){.budget = budget};
}

static uint64_t shelf_bytes(const struct shelf *shelf)
{
    return shelf->sets_count * sizeof(struct shelf_set);
}

void shelf_clear(struct shelf *shelf)
{
    if (shelf->sets == NULL) {
        return;
    }
    memory_table_release(shelf->sets, shelf_bytes(shelf));
    budget_refund(shelf->budget, shelf_bytes(shelf));
    shelf->sets = NULL;
    shelf->sets_count = 0;
}

/* False: there is no room for a shelf now. */
static bool shelf_make(struct shelf *shelf)
{
    const uint64_t sets_count = shelf->budget->limit_bytes / sizeof(struct shelf_set);
    const uint64_t bytes = sets_count * sizeof(struct shelf_set);
    if (sets_count == 0 || budget_charge(shelf->budget, MEMORY_RANK_CACHE, bytes) != ERR_OK) {
        return false;
    }
    shelf->sets = memory_table_acquire(bytes); /* zeros: empty sets */
    if (shelf->sets == NULL) {
        budget_refund(shelf->budget, bytes);
        return false;
    }
    shelf->sets_count = sets_count;
    return true;
}

static struct shelf_set *set_of(const struct shelf *shelf, uint64_t hash)
{
    return &shelf->sets[((hash >> 32) * shelf->sets_count) >> 32];
}

static bool is_fitting(const struct channel_state *state)
{
    const struct channel_row *row = &state->row;
    return row->created_ms >> TIME_BITS == 0 && row->updated_ms >> TIME_BITS == 0 &&
           row->flags <= SMALL_MAX && state->last_seq[LOG_COMMAND] <= SMALL_MAX &&
           state->last_seq[LOG_CHAT] <= UINT32_MAX;
}

void shelf_put(struct shelf *shelf, uint64_t hash, const struct channel_state *state,
               uint64_t now_ms)
{
    ASSERT(state->ref.number != 0);
    if (hash == 0 || !is_fitting(state) || (shelf->sets == NULL && !shelf_make(shelf))) {
        return;
    }
    struct shelf_set *set = set_of(shelf, hash);
    uint32_t way = 0;
    while (way < SHELF_WAYS && set->entries[way].hash != 0 && set->entries[way].hash != hash) {
        way++;
    }
    if (way == SHELF_WAYS) {
        way = (uint32_t)(shelf->puts_count++ % SHELF_WAYS);
    }
    set->entries[way] = (struct shelf_entry){
        .hash = hash,
        .created_and_flags = state->row.created_ms << SMALL_BITS | state->row.flags,
        .updated_and_command = state->row.updated_ms << SMALL_BITS | state->last_seq[LOG_COMMAND],
        .number = state->ref.number,
        .chat_seq = (uint32_t)state->last_seq[LOG_CHAT],
    };
    shelf->used_ms = now_ms;
}

static void entry_read(const struct shelf_entry *entry, uint16_t slot,
                       struct channel_state *out_state)
{
    *out_state = (struct channel_state){
        .ref = {.slot = slot, .number = entry->number},
        .row = {.number = entry->number,
                .flags = entry->created_and_flags & SMALL_MAX,
                .created_ms = entry->created_and_flags >> SMALL_BITS,
                .updated_ms = entry->updated_and_command >> SMALL_BITS},
        .last_seq =
            {[LOG_CHAT] = entry->chat_seq, [LOG_COMMAND] = entry->updated_and_command & SMALL_MAX},
    };
}

bool shelf_take(struct shelf *shelf, uint64_t hash, uint16_t slot, uint64_t now_ms,
                struct channel_state *out_state)
{
    if (shelf->sets == NULL || hash == 0) {
        return false;
    }
    struct shelf_set *set = set_of(shelf, hash);
    for (uint32_t way = 0; way < SHELF_WAYS; way++) {
        struct shelf_entry *entry = &set->entries[way];
        if (entry->hash == hash) {
            entry_read(entry, slot, out_state);
            entry->hash = 0;
            shelf->used_ms = now_ms;
            return true;
        }
    }
    return false;
}
