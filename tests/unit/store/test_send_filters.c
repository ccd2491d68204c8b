#include "store/send_filters.h"
#include "store/sends.h"

#include "support/test.h"

#define FILTERS_BYTES (256u * 1024u)

static struct log_ref log_of(uint32_t number)
{
    return (struct log_ref){.channel = {.slot = 4095, .number = number}, .kind = LOG_COMMAND};
}

static void filters_open(struct send_filters *filters, struct budget *budget, uint64_t bytes)
{
    budget_init(budget, "test", NULL, BUDGET_UNLIMITED);
    CHECK_OK(send_filters_open(filters, budget, bytes));
}

static void filters_close(struct send_filters *filters, struct budget *budget)
{
    send_filters_close(filters);
    CHECK_EQ(budget_used(budget), 0);
}

static void add(struct send_filters *filters, struct log_ref log, uint64_t send, bool is_first)
{
    send_filters_enter(filters);
    send_filters_add(filters, log, send, is_first);
    send_filters_leave(filters);
}

static enum send_answer ask(struct send_filters *filters, struct log_ref log, uint64_t send)
{
    bool wants_care = false;
    return send_filters_ask(filters, log, send, &wants_care);
}

TEST(a_log_is_known_from_its_first_message_on_without_being_loaded)
{
    struct budget budget;
    struct send_filters filters;
    static uint64_t sends[200];
    filters_open(&filters, &budget, FILTERS_BYTES);
    uint32_t doubts = 0;
    for (uint32_t i = 0; i < COUNT_OF(sends); i++) {
        sends[i] = prng_next(prng) | 1;
        doubts += i > 0 && ask(&filters, log_of(1), sends[i]) != SEND_IS_NEW ? 1 : 0;
        add(&filters, log_of(1), sends[i], i == 0);
        for (uint32_t before = 0; before <= i; before++) {
            CHECK_EQ(ask(&filters, log_of(1), sends[before]), SEND_IS_KNOWN_PERHAPS);
        }
        CHECK_EQ(send_filters_care(&filters, log_of(1)), SEND_CARE_NONE);
    }
    CHECK(doubts <= 4); /* 0.3 are to be expected */
    const struct log_ref chat = {.channel = log_of(1).channel, .kind = LOG_CHAT};
    CHECK_EQ(ask(&filters, chat, sends[0]), SEND_IS_UNKNOWN);
    CHECK_EQ(ask(&filters, log_of(2), sends[0]), SEND_IS_UNKNOWN);
    add(&filters, log_of(2), sends[0], false); /* not its first, and nobody has loaded it */
    CHECK_EQ(ask(&filters, log_of(2), sends[1]), SEND_IS_UNKNOWN);
    filters_close(&filters, &budget);
}

TEST(a_log_whose_tags_are_many_tells_that_it_wants_lines_and_goes_without_in_the_end)
{
    struct budget budget;
    struct send_filters filters;
    filters_open(&filters, &budget, FILTERS_BYTES);
    uint32_t told = 0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        bool wants_care = false;
        add(&filters, log_of(1), prng_next(prng) | 1, i == 0);
        known += send_filters_ask(&filters, log_of(1), 2, &wants_care) != SEND_IS_UNKNOWN ? 1 : 0;
        told += wants_care ? 1 : 0;
        CHECK(!wants_care || i >= 256);
        CHECK(!wants_care || send_filters_care(&filters, log_of(1)) == SEND_CARE_LOAD);
    }
    CHECK(told >= 3);
    CHECK(told <= 8);
    CHECK(known >= 512);
    CHECK(known <= 540); /* two sends may have one tag */
    CHECK_EQ(ask(&filters, log_of(1), 2), SEND_IS_UNKNOWN);
    filters_close(&filters, &budget);
}

static void load(struct send_filters *filters, struct log_ref log, const uint64_t *sends,
                 uint32_t count)
{
    CHECK(send_filters_begin(filters, log, count));
    CHECK(!send_filters_begin(filters, log, count)); /* one at a time */
    send_filters_load(filters, log, sends, count);
    send_filters_finish(filters, log, true, count);
}

TEST(a_loaded_filter_knows_what_was_loaded_and_committed_and_seldom_anything_else)
{
    static uint64_t sends[20000];
    static const uint32_t counts[] = {0, 1, 20, 256, 257, 1000, 13000};
    struct budget budget;
    struct send_filters filters;
    filters_open(&filters, &budget, FILTERS_BYTES);
    for (uint32_t i = 0; i < COUNT_OF(sends); i++) {
        sends[i] = prng_next(prng) | 1;
    }
    for (uint32_t i = 0; i < COUNT_OF(counts); i++) {
        const uint32_t count = counts[i];
        load(&filters, log_of(i), sends, count);
        CHECK_EQ(send_filters_care(&filters, log_of(i)),
                 count >= SENDS_UNPAGED_MAX ? SEND_CARE_PAGE : SEND_CARE_NONE);
        const uint32_t more = count / 2; /* there is room for them */
        for (uint32_t j = count; j < count + more; j++) {
            add(&filters, log_of(i), sends[j], false);
        }
        uint32_t doubts = 0;
        for (uint32_t j = 0; j < count + more; j++) {
            CHECK_EQ(ask(&filters, log_of(i), sends[j]), SEND_IS_KNOWN_PERHAPS);
            doubts += ask(&filters, log_of(i), sends[j] ^ 0x5555) != SEND_IS_NEW ? 1 : 0;
        }
        CHECK(doubts <= 3 + (count + more) / 50);
    }
    filters_close(&filters, &budget);
}

TEST(a_filter_that_is_being_loaded_misses_nothing_that_is_committed_meanwhile)
{
    static uint64_t sends[3000];
    struct budget budget;
    struct send_filters filters;
    filters_open(&filters, &budget, FILTERS_BYTES);
    for (uint32_t i = 0; i < COUNT_OF(sends); i++) {
        sends[i] = prng_next(prng) | 1;
    }
    for (uint32_t step = 0; step < 300; step++) {
        const struct log_ref log = log_of(1000 + step);
        const uint32_t count = (uint32_t)prng_below(prng, 600);
        const uint32_t half = count / 2;
        const uint32_t late = (uint32_t)prng_below(prng, 300);
        CHECK(send_filters_begin(&filters, log, count));
        send_filters_load(&filters, log, sends, half);
        for (uint32_t i = 0; i < late; i++) {
            add(&filters, log, sends[count + i], false);
        }
        for (uint32_t other = 0; other < 200; other++) { /* that push the filter about */
            add(&filters, log_of(2000 + step * 200 + other), sends[other], true);
        }
        send_filters_load(&filters, log, sends + half, count - half);
        CHECK_EQ(ask(&filters, log, sends[0]), SEND_IS_UNKNOWN); /* not yet */
        send_filters_finish(&filters, log, step % 10 != 0, 0);
        for (uint32_t i = 0; i < count + late; i++) {
            const enum send_answer answer = ask(&filters, log, sends[i]);
            if (step % 10 == 0) {
                CHECK_EQ(answer, SEND_IS_UNKNOWN);
            } else if (count + late <= 500) {
                CHECK_EQ(answer, SEND_IS_KNOWN_PERHAPS);
            } else {
                CHECK_NE(answer, SEND_IS_NEW);
            }
        }
    }
    filters_close(&filters, &budget);
}

/* Whatever is given up or moved: nothing that was committed is called new. */
TEST(what_was_committed_is_never_called_new_in_however_small_a_room)
{
    static uint64_t last[3000];
    static uint64_t loaded[512];
    struct budget budget;
    struct send_filters filters;
    filters_open(&filters, &budget, 64u * 1024u);
    uint32_t new_count = 0;
    uint32_t asked_count = 0;
    for (uint32_t step = 0; step < 200000; step++) {
        const uint32_t index = (uint32_t)prng_below(prng, COUNT_OF(last));
        const struct log_ref log = log_of(index + 1);
        const uint64_t base = (uint64_t)(index + 1) << 20;
        const uint64_t next = (base + last[index] + 1) * 0x9e3779b97f4a7c15ull;
        const enum send_answer answer = ask(&filters, log, next);
        asked_count++;
        new_count += answer == SEND_IS_NEW ? 1 : 0;
        if (answer == SEND_IS_UNKNOWN && last[index] > 0) {
            const uint32_t count = (uint32_t)(last[index] < 512 ? last[index] : 512);
            for (uint32_t i = 0; i < count; i++) {
                loaded[i] = (base + i + 1) * 0x9e3779b97f4a7c15ull;
            }
            load(&filters, log, loaded, count);
        }
        add(&filters, log, next, ++last[index] == 1);
        const uint64_t any = base + 1 + prng_below(prng, last[index]);
        CHECK_NE(ask(&filters, log, any * 0x9e3779b97f4a7c15ull), SEND_IS_NEW);
        if (prng_below(prng, 20000) == 0) {
            (void)send_filters_rest(&filters);
        }
    }
    CHECK(new_count > asked_count / 10);
    filters_close(&filters, &budget);
}

TEST(a_log_that_is_too_long_for_the_room_has_a_denser_filter_or_none)
{
    struct budget budget;
    struct send_filters filters;
    filters_open(&filters, &budget, 64u * 1024u);
    CHECK(send_filters_begin(&filters, log_of(1), 40000));
    send_filters_finish(&filters, log_of(1), false, 0);
    CHECK(!send_filters_begin(&filters, log_of(1), 60000));
    CHECK(send_filters_begin(&filters, log_of(2), 10));
    send_filters_finish(&filters, log_of(2), false, 0);
    filters_close(&filters, &budget);
}
