#include "edge/source_difference.h"

#include "unit/store/fixture.h"

static const struct channel_name group = {.type = 2,
                                          .id = {.data = (const uint8_t *)"group", .size = 5}};

#define UIDS_MAX 512

struct stage {
    struct fixture fixture;
    struct list_ref list;
};

static void stage_open(struct stage *stage, const char *const *members)
{
    fixture_init(&stage->fixture);
    fixture_open(&stage->fixture);
    stage->list = (struct list_ref){.channel = {.slot = slot_of_channel(group), .number = 1},
                                    .kind = LIST_SUBSCRIBER};
    for (uint32_t i = 0; members[i] != NULL; i++) {
        const struct member_row row = {.joined_seq = 1};
        CHECK_OK(store_batch_put_member(stage->fixture.batch, stage->list,
                                        bytes_of_string(members[i]), &row));
    }
    fixture_commit(&stage->fixture);
}

static void join(const struct bytes *uids, uint32_t count, char *out_text, size_t size)
{
    struct writer writer = writer_of((uint8_t *)out_text, size - 1);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            writer_u8(&writer, ',');
        }
        writer_bytes_add(&writer, uids[i]);
    }
    CHECK(!writer.is_full);
    out_text[writer_size(&writer)] = '\0';
}

/* Who is added and who is removed so that the list is `answer`. */
static void check_difference(struct stage *stage, const char *answer, const char *added,
                             const char *removed)
{
    uint8_t area[256];
    char text[UIDS_MAX];
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    memcpy(area, answer, strlen(answer));
    struct source_uids uids = {.budget = &budget};
    CHECK_OK(source_uids_read(&uids, (struct source_text){.data = area, .size = strlen(answer)}));
    struct source_difference difference;
    CHECK_OK(source_difference_make(&difference, &uids, stage->fixture.store, stage->list));
    join(uids.items, uids.count, text, sizeof(text));
    CHECK_STRING(text, added);
    join(difference.removed, difference.removed_count, text, sizeof(text));
    CHECK_STRING(text, removed);
    source_difference_clear(&difference);
    source_uids_clear(&uids);
    CHECK_EQ(budget_used(&budget), 0);
}

TEST(who_is_on_both_lists_is_left_alone)
{
    static const char *const members[] = {"anna", "bob", "carl", NULL};
    static struct stage stage;
    stage_open(&stage, members);
    check_difference(&stage, "[\"carl\",\"bob\",\"anna\"]", "", "");
    check_difference(&stage, "[\"bob\",\"anna\",\"dora\",\"aaron\"]", "aaron,dora", "carl");
    check_difference(&stage, "[\"bo\",\"bobby\"]", "bo,bobby", "anna,bob,carl");
    check_difference(&stage, "[]", "", "anna,bob,carl");
    fixture_deinit(&stage.fixture);
}

TEST(an_answer_about_an_empty_list_or_none_is_added_whole)
{
    static const char *const members[] = {NULL};
    static struct stage stage;
    stage_open(&stage, members);
    check_difference(&stage, "[\"bob\",\"anna\"]", "anna,bob", "");
    check_difference(&stage, "[]", "", "");
    stage.list.channel.number = 0;
    check_difference(&stage, "[\"bob\"]", "bob", "");
    fixture_deinit(&stage.fixture);
}

TEST(without_room_for_who_goes_nothing_is_held)
{
    static const char *const members[] = {"anna", "bob", NULL};
    static struct stage stage;
    stage_open(&stage, members);
    struct budget budget;
    budget_init(&budget, "test", NULL, 512);
    struct source_uids uids = {.budget = &budget};
    struct source_difference difference;
    CHECK_EQ(source_difference_make(&difference, &uids, stage.fixture.store, stage.list),
             ERR_BUDGET);
    CHECK_EQ(budget_used(&budget), 0);
    fixture_deinit(&stage.fixture);
}
