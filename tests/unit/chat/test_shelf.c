#include "chat/shelf.h"

#include "support/test.h"

#define SETS_BYTES 256u /* of eight channels */

/* A shelf of so many sets; the root has room for more. */
static void make_shelf(struct shelf *shelf, struct budget *root, struct budget *budget,
                       uint64_t sets_count)
{
    budget_init(root, "root", NULL, 1000 * SETS_BYTES);
    budget_init(budget, "shelf", root, sets_count * SETS_BYTES);
    shelf_init(shelf, budget);
}

static struct channel_state state_of(uint32_t number)
{
    return (struct channel_state){
        .ref = {.slot = (uint16_t)(number % SLOTS_COUNT), .number = number},
        .row = {.number = number,
                .flags = number % 32,
                .created_ms = 1767225600000 + number,
                .updated_ms = 1767225700000 + number},
        .last_seq = {[LOG_CHAT] = 3ull * number, [LOG_COMMAND] = number % 7},
    };
}

static uint64_t hash_of(uint32_t number)
{
    return number * 0x9e3779b97f4a7c15ull;
}

static void check_state(const struct channel_state *state, const struct channel_state *wanted)
{
    CHECK_EQ(state->ref.slot, wanted->ref.slot);
    CHECK_EQ(state->ref.number, wanted->ref.number);
    CHECK_EQ(state->row.number, wanted->row.number);
    CHECK_EQ(state->row.flags, wanted->row.flags);
    CHECK_EQ(state->row.created_ms, wanted->row.created_ms);
    CHECK_EQ(state->row.updated_ms, wanted->row.updated_ms);
    CHECK_EQ(state->last_seq[LOG_CHAT], wanted->last_seq[LOG_CHAT]);
    CHECK_EQ(state->last_seq[LOG_COMMAND], wanted->last_seq[LOG_COMMAND]);
}

TEST(what_is_taken_is_what_was_put_and_is_gone_then)
{
    struct budget root;
    struct budget budget;
    struct shelf shelf;
    make_shelf(&shelf, &root, &budget, 100);
    for (uint32_t number = 1; number <= 400; number++) { /* half of what fits */
        const struct channel_state state = state_of(number);
        shelf_put(&shelf, hash_of(number), &state, 5);
    }
    uint32_t taken_count = 0;
    for (uint32_t number = 1; number <= 500; number++) {
        struct channel_state state;
        const struct channel_state wanted = state_of(number);
        if (shelf_take(&shelf, hash_of(number), wanted.ref.slot, 6, &state)) {
            check_state(&state, &wanted);
            taken_count++;
        }
        CHECK(!shelf_take(&shelf, hash_of(number), wanted.ref.slot, 6, &state));
    }
    CHECK(taken_count > 350);
    CHECK(taken_count <= 400);
    shelf_clear(&shelf);
    CHECK_EQ(budget_used(&root), 0);
}

TEST(what_was_put_last_counts)
{
    struct budget root;
    struct budget budget;
    struct shelf shelf;
    static struct channel_state newest[300];
    uint32_t found_count = 0;
    make_shelf(&shelf, &root, &budget, 20);
    for (uint32_t step = 0; step < 20000; step++) {
        const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(newest));
        struct channel_state *channel = &newest[index];
        struct channel_state state;
        if (channel->ref.number != 0 &&
            shelf_take(&shelf, hash_of(index + 1), channel->ref.slot, step, &state)) {
            check_state(&state, channel);
            found_count++;
        }
        *channel = state_of(index + 1);
        channel->last_seq[LOG_CHAT] = step;
        channel->row.flags = (uint32_t)prng_below(prng, 32);
        shelf_put(&shelf, hash_of(index + 1), channel, step);
        CHECK(budget_used(&budget) <= budget.limit_bytes);
    }
    CHECK(found_count > 2000); /* half of them fit */
    shelf_clear(&shelf);
    CHECK_EQ(budget_used(&root), 0);
}

TEST(what_does_not_fit_is_not_put_there)
{
    struct budget root;
    struct budget budget;
    struct shelf shelf;
    struct channel_state state;
    make_shelf(&shelf, &root, &budget, 10);
    CHECK(!shelf_take(&shelf, 1, 1, 1, &state)); /* nothing was put yet */
    struct channel_state large = state_of(1);
    large.last_seq[LOG_COMMAND] = 65536;
    shelf_put(&shelf, 1, &large, 1);
    large = state_of(1);
    large.last_seq[LOG_CHAT] = 1ull << 32;
    shelf_put(&shelf, 1, &large, 1);
    large = state_of(1);
    large.row.flags = 1u << 16;
    shelf_put(&shelf, 1, &large, 1);
    large = state_of(1);
    large.row.updated_ms = 1ull << 48;
    shelf_put(&shelf, 1, &large, 1);
    CHECK(!shelf_take(&shelf, 1, 1, 1, &state));
    large = state_of(1);
    large.last_seq[LOG_COMMAND] = 65535;
    large.last_seq[LOG_CHAT] = UINT32_MAX;
    shelf_put(&shelf, 1, &large, 1);
    CHECK(shelf_take(&shelf, 1, 1, 1, &state));
    check_state(&state, &large);
    shelf_clear(&shelf);
    CHECK_EQ(budget_used(&root), 0);
}

TEST(without_room_there_is_no_shelf_until_there_is)
{
    struct budget root;
    struct budget budget;
    struct shelf shelf;
    struct channel_state state = state_of(1);
    budget_init(&root, "root", NULL, 100 * SETS_BYTES);
    budget_init(&budget, "shelf", &root, 60 * SETS_BYTES);
    shelf_init(&shelf, &budget);
    CHECK_OK(budget_charge(&root, MEMORY_RANK_DRAIN, 90 * SETS_BYTES));
    shelf_put(&shelf, 1, &state, 1);
    CHECK_EQ(budget_used(&budget), 0);
    CHECK(!shelf_take(&shelf, 1, 1, 1, &state));
    budget_refund(&root, 90 * SETS_BYTES);
    shelf_put(&shelf, 1, &state, 1);
    CHECK(shelf_take(&shelf, 1, 1, 1, &state));
    shelf_clear(&shelf);
    shelf_clear(&shelf);
    CHECK_EQ(budget_used(&root), 0);
}
