#include "chat/event.h"

#include "support/test.h"

#define LIMIT 1000u

/* A lane and an event in words, and what is to become of the lane. */
struct lane_case {
    const char *name;
    /* The lane before; no status: it is not there. */
    enum lane_status before;
    enum lane_form form_before;
    uint32_t size_before;
    bool is_given_before;
    /* The event. */
    enum event_kind kind;
    enum lane_form form;
    uint32_t size;
    /* What is expected. */
    enum lane_status after;
    enum content_change change;
    enum lane_form form_after;
    bool is_given_after;
};

#define NONE 99 /* the lane is not there */

static const struct lane_case lane_cases[] = {
    {"the first delta opens", NONE, 0, 0, 0, EVENT_DELTA, LANE_TEXT, 5, LANE_OPEN, CONTENT_REPLACED,
     LANE_TEXT, false},
    {"text grows", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_DELTA, LANE_TEXT, 5, LANE_OPEN, CONTENT_GROWS,
     LANE_TEXT, false},
    {"a given text grows and is given no more", LANE_UNSET, LANE_TEXT, 5, 1, EVENT_DELTA, LANE_TEXT,
     5, LANE_OPEN, CONTENT_GROWS, LANE_TEXT, false},
    {"an empty delta opens", NONE, 0, 0, 0, EVENT_DELTA, LANE_TEXT, 0, LANE_OPEN, CONTENT_STAYS,
     LANE_EMPTY, false},
    {"a value replaces a value", LANE_OPEN, LANE_JSON, 5, 0, EVENT_DELTA, LANE_JSON, 3, LANE_OPEN,
     CONTENT_REPLACED, LANE_JSON, false},
    {"a value does not replace text", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_DELTA, LANE_JSON, 3,
     LANE_OPEN, CONTENT_STAYS, LANE_TEXT, false},
    {"text replaces a value", LANE_OPEN, LANE_JSON, 5, 0, EVENT_DELTA, LANE_TEXT, 3, LANE_OPEN,
     CONTENT_REPLACED, LANE_TEXT, false},
    {"a snapshot sets no status", NONE, 0, 0, 0, EVENT_SNAPSHOT, LANE_JSON, 3, LANE_UNSET,
     CONTENT_REPLACED, LANE_JSON, true},
    {"a snapshot replaces text", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_SNAPSHOT, LANE_JSON, 3,
     LANE_OPEN, CONTENT_REPLACED, LANE_JSON, true},
    {"an empty snapshot empties", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_SNAPSHOT, LANE_EMPTY, 0,
     LANE_OPEN, CONTENT_REPLACED, LANE_EMPTY, true},
    {"a close keeps what was gathered", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_CLOSE, LANE_JSON, 3,
     LANE_CLOSED, CONTENT_STAYS, LANE_TEXT, false},
    {"a close replaces what was given", LANE_OPEN, LANE_JSON, 5, 1, EVENT_CLOSE, LANE_TEXT, 3,
     LANE_CLOSED, CONTENT_REPLACED, LANE_TEXT, true},
    {"a close fills what is empty", NONE, 0, 0, 0, EVENT_CLOSE, LANE_JSON, 3, LANE_CLOSED,
     CONTENT_REPLACED, LANE_JSON, true},
    {"an error", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_ERROR, LANE_EMPTY, 0, LANE_ERROR, CONTENT_STAYS,
     LANE_TEXT, false},
    {"a cancel", LANE_UNSET, LANE_EMPTY, 0, 0, EVENT_CANCEL, LANE_EMPTY, 0, LANE_CANCELLED,
     CONTENT_STAYS, LANE_EMPTY, false},
    {"a finish", NONE, 0, 0, 0, EVENT_FINISH, LANE_EMPTY, 0, LANE_CLOSED, CONTENT_STAYS, LANE_EMPTY,
     false},
    {"another type", LANE_OPEN, LANE_TEXT, 5, 0, EVENT_OTHER, LANE_EMPTY, 0, LANE_OPEN,
     CONTENT_STAYS, LANE_TEXT, false},
};

static struct event event_of(enum event_kind kind, enum lane_form form, uint32_t size)
{
    static const uint8_t bytes[LIMIT * 2];
    return (struct event){
        .kind = kind,
        .id = BYTES_OF("new"),
        .content = {.form = form, .bytes = {.data = bytes, .size = size}},
    };
}

static struct lane lane_of(enum lane_status status, enum lane_form form, uint32_t size)
{
    return (struct lane){.status = status, .form = form, .content_size = size};
}

static void set_id(struct lane *lane, const char *id)
{
    lane->seq = 1;
    lane->id_size = (uint8_t)strlen(id);
    memcpy(lane->id, id, strlen(id));
}

TEST(each_event_does_to_its_lane_what_it_says)
{
    for (size_t i = 0; i < COUNT_OF(lane_cases); i++) {
        const struct lane_case *each = &lane_cases[i];
        struct lane lane = lane_of(each->before, each->form_before, each->size_before);
        lane.is_given = each->is_given_before;
        const struct event event = event_of(each->kind, each->form, each->size);
        const bool is_there = each->before != (enum lane_status)NONE;
        const struct event_plan plan = event_plan(&event, is_there ? &lane : NULL, is_there ? 1 : 0,
                                                  is_there ? each->size_before : 0, LIMIT);
        if (plan.result != EVENT_DONE || plan.status != each->after ||
            plan.change != each->change || plan.form != each->form_after ||
            plan.is_given != each->is_given_after) {
            fail_msg("%s", each->name);
        }
        CHECK_EQ(plan.is_stored, each->kind != EVENT_DELTA);
        CHECK(!plan.is_stored || plan.has_lane_record);
    }
}

TEST(a_delta_writes_its_lanes_row_only_when_the_row_changes)
{
    const struct event event = event_of(EVENT_DELTA, LANE_TEXT, 5);
    struct lane lane = lane_of(LANE_OPEN, LANE_TEXT, 5);
    CHECK(event_plan(&event, NULL, 0, 0, LIMIT).has_lane_record);
    CHECK(!event_plan(&event, &lane, 1, 5, LIMIT).has_lane_record);
    lane.is_given = true;
    CHECK(event_plan(&event, &lane, 1, 5, LIMIT).has_lane_record);
    lane = lane_of(LANE_UNSET, LANE_TEXT, 5);
    CHECK(event_plan(&event, &lane, 1, 5, LIMIT).has_lane_record);
    lane = lane_of(LANE_OPEN, LANE_JSON, 5);
    CHECK(event_plan(&event, &lane, 1, 5, LIMIT).has_lane_record);
}

TEST(what_has_ended_takes_no_delta_and_ignores_the_rest)
{
    const enum lane_status ends[] = {LANE_CLOSED, LANE_ERROR, LANE_CANCELLED};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const struct lane lane = lane_of(ends[i], LANE_TEXT, 5);
        for (int kind = EVENT_OTHER; kind <= EVENT_FINISH; kind++) {
            const struct event event = event_of((enum event_kind)kind, LANE_TEXT, 5);
            CHECK_EQ(event_plan(&event, &lane, 1, 5, LIMIT).result,
                     kind == EVENT_DELTA ? EVENT_CLOSED : EVENT_REPEATED);
        }
    }
}

TEST(only_the_last_stored_id_is_a_repeat_and_never_a_deltas)
{
    struct lane lane = lane_of(LANE_OPEN, LANE_TEXT, 5);
    struct event event = event_of(EVENT_SNAPSHOT, LANE_TEXT, 5);
    event.id = BYTES_EMPTY;
    CHECK_EQ(event_plan(&event, &lane, 1, 5, LIMIT).result, EVENT_DONE);
    event.id = BYTES_OF("new");
    set_id(&lane, "new");
    CHECK_EQ(event_plan(&event, &lane, 1, 5, LIMIT).result, EVENT_REPEATED);
    event.kind = EVENT_DELTA;
    CHECK_EQ(event_plan(&event, &lane, 1, 5, LIMIT).result, EVENT_DONE);
    event.kind = EVENT_CLOSE;
    set_id(&lane, "older");
    CHECK_EQ(event_plan(&event, &lane, 1, 5, LIMIT).result, EVENT_DONE);
    lane.status = LANE_CLOSED;
    set_id(&lane, "new");
    CHECK_EQ(event_plan(&event, &lane, 1, 5, LIMIT).result, EVENT_REPEATED);
}

TEST(a_stream_stays_within_its_bytes_and_its_lanes)
{
    const struct lane lane = lane_of(LANE_OPEN, LANE_TEXT, 400);
    struct event event = event_of(EVENT_DELTA, LANE_TEXT, 500);
    CHECK_EQ(event_plan(&event, &lane, 1, 500, LIMIT).result, EVENT_DONE);
    CHECK_EQ(event_plan(&event, &lane, 1, 501, LIMIT).result, EVENT_TOO_LARGE);
    CHECK_EQ(event_plan(&event, NULL, 1, 501, LIMIT).result, EVENT_TOO_LARGE);
    event.kind = EVENT_SNAPSHOT; /* what it replaces does not count */
    CHECK_EQ(event_plan(&event, &lane, 1, 900, LIMIT).result, EVENT_DONE);
    CHECK_EQ(event_plan(&event, &lane, 1, 901, LIMIT).result, EVENT_TOO_LARGE);
    event = event_of(EVENT_CLOSE, LANE_TEXT, 2 * LIMIT); /* not taken: something was gathered */
    CHECK_EQ(event_plan(&event, &lane, 1, LIMIT, LIMIT).result, EVENT_DONE);
    event = event_of(EVENT_DELTA, LANE_TEXT, 1);
    CHECK_EQ(event_plan(&event, NULL, STREAM_LANES_MAX - 1, 0, LIMIT).result, EVENT_DONE);
    CHECK_EQ(event_plan(&event, NULL, STREAM_LANES_MAX, 0, LIMIT).result, EVENT_TOO_MANY);
    CHECK_EQ(event_plan(&event, &lane, STREAM_LANES_MAX, 400, LIMIT).result, EVENT_DONE);
}
