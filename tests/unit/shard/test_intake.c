#include "shard/intake.h"

#include "support/test.h"

#define QUESTIONS_COUNT 40u

struct question {
    struct letter letter;
};

/* Whoever begins them. */
struct desk {
    struct intake intake;
    struct question questions[QUESTIONS_COUNT];
    uint32_t begun_count;
    const struct question *begun[QUESTIONS_COUNT];
    struct question *follower; /* asked by the next that is begun */
};

static void begin(struct letter *letter, void *receiver)
{
    struct desk *desk = receiver;
    desk->begun[desk->begun_count++] = CONTAINER_OF(letter, struct question, letter);
    if (desk->follower != NULL) {
        struct letter *next = &desk->follower->letter;
        desk->follower = NULL;
        intake_add(&desk->intake, INTAKE_ALONE, next, begin);
    }
}

static void ask(struct desk *desk, uint32_t index, enum intake_line line)
{
    intake_add(&desk->intake, line, &desk->questions[index].letter, begin);
}

static uint32_t place_of(const struct desk *desk, uint32_t index)
{
    for (uint32_t i = 0; i < desk->begun_count; i++) {
        if (desk->begun[i] == &desk->questions[index]) {
            return i;
        }
    }
    return UINT32_MAX;
}

TEST(who_asks_once_does_not_stand_behind_who_asks_without_waiting)
{
    static struct desk desk;
    for (uint32_t i = 0; i < QUESTIONS_COUNT - 1; i++) {
        ask(&desk, i, INTAKE_OTHER);
    }
    ask(&desk, QUESTIONS_COUNT - 1, INTAKE_ALONE);
    CHECK_EQ(desk.intake.count, QUESTIONS_COUNT);
    CHECK(intake_run(&desk.intake, &desk, 0));
    CHECK_EQ(place_of(&desk, QUESTIONS_COUNT - 1), 0);
    CHECK(!intake_run(&desk.intake, &desk, UINT64_MAX));
    CHECK_EQ(desk.begun_count, QUESTIONS_COUNT);
    CHECK_EQ(desk.intake.count, 0);
    for (uint32_t i = 0; i < QUESTIONS_COUNT - 1; i++) {
        CHECK_EQ(place_of(&desk, i), i + 1); /* in their order */
    }
}

TEST(what_was_asked_after_one_that_waits_alone_does_not_overtake_it)
{
    static struct desk desk;
    for (uint32_t i = 0; i < QUESTIONS_COUNT - 2; i++) {
        ask(&desk, i, INTAKE_ALONE); /* others, each with one question */
    }
    ask(&desk, QUESTIONS_COUNT - 2, INTAKE_ALONE); /* somebody asks, */
    ask(&desk, QUESTIONS_COUNT - 1, INTAKE_OTHER); /* and again without waiting */
    (void)intake_run(&desk.intake, &desk, UINT64_MAX);
    CHECK_EQ(desk.begun_count, QUESTIONS_COUNT);
    CHECK(place_of(&desk, QUESTIONS_COUNT - 2) < place_of(&desk, QUESTIONS_COUNT - 1));
}

TEST(a_turn_that_is_late_begins_something_of_each_line)
{
    static struct desk desk;
    for (uint32_t i = QUESTIONS_COUNT / 2; i < QUESTIONS_COUNT; i++) {
        ask(&desk, i, INTAKE_OTHER);
    }
    for (uint32_t i = 0; i < QUESTIONS_COUNT / 2; i++) {
        ask(&desk, i, INTAKE_ALONE);
    }
    CHECK(intake_run(&desk.intake, &desk, 0)); /* its time has long been over */
    CHECK(desk.begun_count > 0);
    CHECK(desk.begun_count < QUESTIONS_COUNT);
    CHECK_EQ(place_of(&desk, 0), 0);
    CHECK(place_of(&desk, QUESTIONS_COUNT / 2) < desk.begun_count);
    while (intake_run(&desk.intake, &desk, 0)) {
    }
    CHECK_EQ(desk.begun_count, QUESTIONS_COUNT);
}

TEST(what_is_asked_by_what_begins_is_begun_too)
{
    static struct desk desk;
    desk.follower = &desk.questions[1];
    ask(&desk, 0, INTAKE_OTHER);
    CHECK(!intake_run(&desk.intake, &desk, UINT64_MAX));
    CHECK_EQ(desk.begun_count, 2);
    CHECK_EQ(place_of(&desk, 1), 1);
    CHECK(!intake_run(&desk.intake, &desk, UINT64_MAX)); /* and an empty one is one */
}

TEST(each_line_keeps_its_order_whatever_comes_meanwhile)
{
    static struct desk desk;
    uint32_t asked = 0;
    uint32_t line_of[QUESTIONS_COUNT] = {0};
    while (asked < QUESTIONS_COUNT) {
        line_of[asked] = (uint32_t)prng_below(prng, INTAKE_LINES_COUNT);
        ask(&desk, asked, (enum intake_line)line_of[asked]);
        asked++;
        if (prng_below(prng, 6) == 0) {
            (void)intake_run(&desk.intake, &desk, 0);
        }
    }
    (void)intake_run(&desk.intake, &desk, UINT64_MAX);
    for (uint32_t i = 0; i < QUESTIONS_COUNT; i++) {
        for (uint32_t k = i + 1; k < QUESTIONS_COUNT; k++) {
            const bool may_overtake = line_of[i] == INTAKE_OTHER && line_of[k] == INTAKE_ALONE;
            CHECK(may_overtake || place_of(&desk, i) < place_of(&desk, k));
        }
    }
}
