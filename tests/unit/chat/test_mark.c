#include "chat/mark.h"

#include "support/test.h"

#define CHAT    DIRECTORY_FLAG_CHAT
#define COMMAND DIRECTORY_FLAG_COMMAND

/* A conversation with 10 messages and 4 commands. */
static const uint64_t last_seq[LOG_KINDS_COUNT] = {[LOG_CHAT] = 10, [LOG_COMMAND] = 4};
static const uint64_t empty[LOG_KINDS_COUNT] = {0};

static enum mark_effect apply(enum mark_kind kind, int64_t value, struct directory_row *row)
{
    return mark_apply(kind, value, last_seq, row);
}

TEST(clearing_reads_up_to_the_last_and_never_goes_back)
{
    struct directory_row row = {.flags = CHAT, .read_seq = 3};
    CHECK_EQ(apply(MARK_READ, 0, &row), MARK_PUTS);
    CHECK_EQ(row.read_seq, 10);
    CHECK_EQ(apply(MARK_READ, 0, &row), MARK_STAYS);
    struct directory_row ahead = {.flags = CHAT, .read_seq = 12};
    CHECK_EQ(apply(MARK_READ, 0, &ahead), MARK_STAYS);
    CHECK_EQ(ahead.read_seq, 12);
}

TEST(clearing_makes_the_row_of_a_channel_with_messages_only)
{
    struct directory_row row = {.flags = 0};
    CHECK_EQ(mark_apply(MARK_READ, 0, empty, &row), MARK_STAYS);
    CHECK_EQ(apply(MARK_READ, 0, &row), MARK_PUTS);
    CHECK_EQ(row.flags, CHAT);
    struct directory_row commands = {.flags = COMMAND, .command_read_seq = 2};
    CHECK_EQ(apply(MARK_READ, 0, &commands), MARK_PUTS);
    CHECK_EQ(commands.flags, CHAT | COMMAND);
    CHECK_EQ(commands.command_read_seq, 2);
}

TEST(unread_is_lowered_never_raised)
{
    static const struct {
        int64_t unread;
        uint64_t read_seq;
    } cases[] = {{0, 10}, {1, 9}, {9, 1}, {11, 9}, {1000, 9}, {-1, 9}, {INT64_MIN, 9}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct directory_row row = {.flags = CHAT};
        CHECK_EQ(apply(MARK_UNREAD, cases[i].unread, &row), MARK_PUTS);
        CHECK_EQ(row.read_seq, cases[i].read_seq);
    }
    struct directory_row row = {.flags = CHAT, .read_seq = 9};
    CHECK_EQ(apply(MARK_UNREAD, 10, &row), MARK_STAYS);
    CHECK_EQ(apply(MARK_UNREAD, 5, &row), MARK_STAYS);
    CHECK_EQ(mark_apply(MARK_UNREAD, 3, empty, &row), MARK_STAYS);
    CHECK_EQ(mark_apply(MARK_UNREAD, -3, empty, &row), MARK_STAYS);
    CHECK_EQ(row.read_seq, 9);
}

TEST(deleting_hides_what_is_there_and_needs_a_row)
{
    struct directory_row row = {.flags = CHAT, .read_seq = 3};
    CHECK_EQ(apply(MARK_DELETED, 0, &row), MARK_PUTS);
    CHECK_EQ(row.deleted_to_seq, 10);
    CHECK_EQ(row.read_seq, 3);
    CHECK_EQ(apply(MARK_DELETED, 0, &row), MARK_STAYS);
    struct directory_row commands = {.flags = COMMAND};
    CHECK_EQ(apply(MARK_DELETED, 0, &commands), MARK_STAYS);
}

TEST(commands_are_received_up_to_what_exists)
{
    struct directory_row row = {.flags = CHAT | COMMAND, .command_read_seq = 1};
    CHECK_EQ(apply(MARK_COMMANDS, 3, &row), MARK_PUTS);
    CHECK_EQ(row.command_read_seq, 3);
    CHECK_EQ(apply(MARK_COMMANDS, 2, &row), MARK_STAYS);
    CHECK_EQ(apply(MARK_COMMANDS, 100, &row), MARK_PUTS);
    CHECK_EQ(row.command_read_seq, 4);
    CHECK_EQ(apply(MARK_COMMANDS, -1, &row), MARK_STAYS);
    struct directory_row stranger = {.flags = CHAT};
    CHECK_EQ(apply(MARK_COMMANDS, 3, &stranger), MARK_STAYS);
}

TEST(who_has_left_and_received_all_of_his_leaves_nothing)
{
    struct directory_row row = {.flags = COMMAND, .command_end_seq = 3};
    CHECK_EQ(apply(MARK_COMMANDS, 2, &row), MARK_PUTS);
    CHECK_EQ(apply(MARK_COMMANDS, 3, &row), MARK_DROPS);
    struct directory_row listed = {.flags = CHAT | COMMAND, .command_end_seq = 3};
    CHECK_EQ(apply(MARK_COMMANDS, 3, &listed), MARK_PUTS);
    CHECK_EQ(listed.flags, CHAT);
}

TEST(listing_keeps_what_is_listed)
{
    struct directory_row row = {.flags = CHAT, .read_seq = 5};
    CHECK_EQ(apply(MARK_LISTED, 0, &row), MARK_STAYS);
    struct directory_row absent = {.flags = 0};
    CHECK_EQ(mark_apply(MARK_LISTED, 0, empty, &absent), MARK_PUTS);
    CHECK_EQ(absent.flags, CHAT);
    CHECK_EQ(absent.read_seq, 0);
}
