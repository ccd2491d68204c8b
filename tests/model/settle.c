#include "memory/allocator.h"
#include "model/resolve.h"
#include "model/stored.h"
#include "store/message_log.h"
#include "store/read.h"

#include "support/test.h"

#include <stdlib.h>

/* ---- The end of a round: one state of all that were possible is the one that is stored. ---- */

struct members {
    uint32_t set;
    bool has_crowd;
    uint32_t crowd_count;
    struct bytes after;
    uint8_t area[TEXT_BYTES_MAX];
    uint32_t count;
};

static bool members_visit(void *context, struct bytes uid, const struct member_row *row)
{
    (void)row;
    struct members *members = context;
    const uint8_t number = uid_of_name(uid);
    if (number != UID_NONE) {
        members->set |= 1u << number;
    } else {
        members->crowd_count++;
    }
    CHECK(uid.size <= sizeof(members->area));
    memcpy(members->area, uid.data, uid.size);
    members->after = (struct bytes){.data = members->area, .size = uid.size};
    members->count++;
    return true;
}

static struct members read_members(struct script *script, struct channel_ref ref,
                                   enum list_kind list)
{
    struct members members = {.count = 0};
    const struct member_page page = {
        .list = {.channel = ref, .kind = list},
        .count_max = UIDS_COUNT + CROWD_COUNT + 1,
        .visit = members_visit,
        .context = &members,
    };
    CHECK_OK(store_read_members(script->store, STORE_MAY_BLOCK, &page));
    CHECK(members.crowd_count == 0 || members.crowd_count == CROWD_COUNT);
    members.has_crowd = members.crowd_count > 0;
    return members;
}

static struct lists read_lists(struct script *script, const struct model_channel *channel)
{
    struct lists lists = {.is_stored = false};
    struct channel_state state;
    if (stored_load(script, channel, &state) == ERR_ABSENT) {
        return lists;
    }
    lists.is_stored = true;
    lists.flags = state.row.flags;
    for (uint32_t list = LIST_SUBSCRIBER; list <= LIST_ALLOW; list++) {
        const struct members members = read_members(script, state.ref, (enum list_kind)list);
        lists.members[list] = members.set;
        lists.has_crowd |= members.has_crowd;
    }
    return lists;
}

static void print_lists(const char *what, const struct lists *lists)
{
    print_error("  %s: %s flags %x members %x%s denied %x allowed %x\n", what,
                lists->is_stored ? "stored," : "unknown,", lists->flags,
                lists->members[LIST_SUBSCRIBER], lists->has_crowd ? " and a crowd" : "",
                lists->members[LIST_DENY], lists->members[LIST_ALLOW]);
}

static void explain_lists(const struct script *script, const struct model_channel *channel,
                          const struct lists *stored)
{
    print_error("round %u: lists of channel %u %.*s\n", script->round, channel->type,
                (int)channel->id_size, (const char *)channel->id);
    print_lists("stored", stored);
    for (uint32_t i = 0; i < channel->states_count; i++) {
        print_lists("possible", &channel->states[i]);
    }
}

static void settle_lists(struct script *script, struct model_channel *channel)
{
    const struct lists stored = read_lists(script, channel);
    bool is_possible = false;
    for (uint32_t i = 0; i < channel->states_count; i++) {
        is_possible |= lists_equal(&channel->states[i], &stored);
    }
    if (!is_possible) {
        explain_lists(script, channel, &stored);
    }
    CHECK(is_possible);
    channel->now = stored;
    channel->states[0] = stored;
    channel->states_count = 1;
    channel->spans[0] = (struct lists_span){.lists = stored, .end_step = STEP_FOR_EVER};
    channel->spans_count = 1;
}

static struct row read_row(struct script *script, const struct model_channel *channel, uint8_t uid)
{
    const struct directory_key key = {.uid = name_of_uid(uid),
                                      .channel = model_channel_name(channel)};
    struct directory_row stored;
    const enum err err = store_find_directory(script->store, STORE_MAY_BLOCK, &key, &stored);
    CHECK(err == ERR_OK || err == ERR_ABSENT);
    if (err == ERR_ABSENT) {
        return (struct row){.is_listed = false};
    }
    CHECK(stored.flags != 0);
    CHECK(stored.channel.number != 0);
    CHECK_EQ(stored.deleted_to_seq, 0);
    struct row row = {
        .is_listed = (stored.flags & DIRECTORY_FLAG_CHAT) != 0,
        .read_seq = stored.read_seq,
        .joined_seq = stored.joined_seq > 0 ? stored.joined_seq : 1, /* from the beginning */
        .gets_commands = (stored.flags & DIRECTORY_FLAG_COMMAND) != 0,
    };
    if (row.gets_commands) {
        row.command_read_seq = stored.command_read_seq;
        row.command_end_seq = stored.command_end_seq;
    }
    return row;
}

static void print_row(const char *what, const struct row *row)
{
    print_error(
        "  %s: %s read %llu joined %llu, %s read %llu end %llu\n", what,
        row->is_listed ? "listed," : "not listed,", (unsigned long long)row->read_seq,
        (unsigned long long)row->joined_seq, row->gets_commands ? "commands" : "no commands",
        (unsigned long long)row->command_read_seq, (unsigned long long)row->command_end_seq);
}

static void explain_row(const struct script *script, const struct model_channel *channel,
                        uint8_t uid, const struct row *stored)
{
    print_error("round %u: row of uid %u in channel %u %.*s\n", script->round, uid, channel->type,
                (int)channel->id_size, (const char *)channel->id);
    print_row("stored", stored);
    print_error("  acknowledged: %llu\n", (unsigned long long)channel->acknowledged_seq[uid]);
    for (uint32_t i = 0; i < channel->rows[uid].count; i++) {
        print_row("possible", &channel->rows[uid].rows[i]);
    }
}

static void settle_rows(struct script *script, struct model_channel *channel)
{
    for (uint8_t uid = 0; uid < UIDS_COUNT; uid++) {
        const struct row stored = read_row(script, channel, uid);
        const struct rows *rows = &channel->rows[uid];
        bool is_possible = false;
        for (uint32_t i = 0; i < rows->count; i++) {
            is_possible |= row_may_become(&rows->rows[i], &stored, channel->acknowledged_seq[uid]);
        }
        if (!is_possible) {
            explain_row(script, channel, uid, &stored);
        }
        CHECK(is_possible);
        channel->rows[uid] = (struct rows){.count = 1, .rows = {stored}};
    }
}

static void settle_channels(struct script *script)
{
    for (uint32_t i = 0; i < script->model.channels_count; i++) {
        struct model_channel *channel = &script->model.channels[i];
        if (!channel->is_changed && !is_sent_to(script, channel)) {
            continue;
        }
        struct channel_state state;
        if (stored_load(script, channel, &state) == ERR_OK) {
            CHECK_EQ(state.last_seq[LOG_CHAT], channel->logs[LOG_CHAT].count);
            CHECK_EQ(state.last_seq[LOG_COMMAND], channel->logs[LOG_COMMAND].count);
        }
        settle_lists(script, channel);
        if (channel->is_changed) {
            settle_rows(script, channel);
        }
        channel->is_changed = false;
    }
}

static bool system_visit(void *context, struct bytes uid)
{
    uint32_t *set = context;
    CHECK(uid_of_name(uid) != UID_NONE);
    *set |= 1u << uid_of_name(uid);
    return true;
}

static void settle_system(struct script *script)
{
    struct model *model = &script->model;
    uint32_t stored = 0;
    CHECK_OK(store_read_system_uids(script->store, system_visit, &stored));
    bool is_possible = false;
    for (uint32_t i = 0; i < model->system_spans_count; i++) {
        is_possible |= model->system_spans[i].end_step == STEP_FOR_EVER &&
                       model->system_spans[i].uids == stored;
    }
    CHECK(is_possible);
    model->system = stored;
    model->system_spans[0] = (struct system_span){.uids = stored, .end_step = STEP_FOR_EVER};
    model->system_spans_count = 1;
}

/* Is it what is stored of this class of somebody's devices? */
static bool device_is_stored(struct script *script, uint8_t uid, uint32_t flag,
                             const struct device *device)
{
    const struct device_key key = {.uid = name_of_uid(uid), .device_flag = (uint8_t)flag};
    struct device_row row;
    const enum err err = store_find_device(script->store, STORE_MAY_BLOCK, key, &row);
    CHECK(err == ERR_OK || err == ERR_ABSENT);
    if (err == ERR_ABSENT || !device->is_stored) {
        return device->is_stored == (err == ERR_OK);
    }
    uint8_t hash[STORE_TOKEN_HASH_BYTES] = {0};
    if (device->has_token) {
        hash_of_token(device->token, hash);
    }
    return row.has_token == device->has_token && row.level == device->level &&
           memcmp(row.token_hash, hash, sizeof(hash)) == 0;
}

static void settle_device(struct script *script, uint8_t uid, uint32_t flag)
{
    struct model *model = &script->model;
    struct device_span *spans = model->device_spans[uid][flag];
    bool is_possible = false;
    for (uint32_t i = 0; i < model->device_spans_count[uid][flag]; i++) {
        const struct device *device = &spans[i].device;
        if (spans[i].end_step == STEP_FOR_EVER && device_is_stored(script, uid, flag, device)) {
            is_possible = true;
            model->devices[uid][flag] = *device;
        }
    }
    CHECK(is_possible);
    spans[0] = (struct device_span){.device = model->devices[uid][flag], .end_step = STEP_FOR_EVER};
    model->device_spans_count[uid][flag] = 1;
}

static void settle_devices(struct script *script)
{
    for (uint8_t uid = 0; uid < UIDS_COUNT; uid++) {
        for (uint32_t flag = 0; flag < FLAGS_COUNT; flag++) {
            if (script->model.device_spans_count[uid][flag] > 1) {
                settle_device(script, uid, flag);
            }
        }
    }
}

void settle_round(struct script *script)
{
    settle_channels(script);
    settle_devices(script);
    settle_system(script);
}

/* ---- All of it. ---- */

struct whole_log {
    struct stored stored;
    const struct log *log;
    uint32_t count;
};

static bool whole_visit(void *context, const struct message_view *view, struct bytes row)
{
    struct whole_log *whole = context;
    stored_visit(&whole->stored, view, row);
    CHECK(whole->count < whole->log->count);
    const struct message *message = &whole->log->messages[whole->count];
    CHECK_EQ(view->seq, whole->count + 1);
    CHECK_EQ(whole->stored.serial, message->serial);
    CHECK_EQ(view->message_id, message->message_id);
    CHECK_EQ(view->timestamp_s, message->timestamp_s);
    whole->count++;
    return true;
}

static void check_log(struct script *script, const struct model_channel *channel,
                      enum log_kind kind)
{
    struct channel_state state;
    struct whole_log whole = {
        .stored = {.model = &script->model, .channel = channel, .log = kind},
        .log = &channel->logs[kind],
    };
    if (stored_load(script, channel, &state) == ERR_OK) {
        const struct message_range range = {
            .log = {.channel = state.ref, .kind = kind},
            .seq_min = 1,
            .seq_max = UINT64_MAX,
            .order = MESSAGES_OLDEST_ASCENDING,
            .count_max = UINT32_MAX,
            .bytes_max = UINT32_MAX,
            .visit = whole_visit,
            .context = &whole,
        };
        CHECK_OK(store_read_messages(script->store, STORE_MAY_BLOCK, &range));
    }
    CHECK_EQ(whole.count, channel->logs[kind].count);
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : (*x > *y ? 1 : 0);
}

/* No two messages have one id. */
static void check_ids(struct script *script)
{
    struct model *model = &script->model;
    const size_t size = SENDS_MAX * sizeof(uint64_t);
    uint64_t *ids = memory_acquire(&model->budget, MEMORY_RANK_DRAIN, size);
    CHECK(ids != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < model->channels_count; i++) {
        for (uint32_t kind = 0; kind < LOG_KINDS_COUNT; kind++) {
            const struct log *log = &model->channels[i].logs[kind];
            for (uint32_t j = 0; j < log->count; j++) {
                ids[count++] = log->messages[j].message_id;
            }
        }
    }
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (uint32_t i = 1; i < count; i++) {
        CHECK(ids[i - 1] < ids[i]);
    }
    memory_release(&model->budget, ids, size);
}

void resolve_check_all(struct script *script)
{
    struct model *model = &script->model;
    for (uint32_t i = 0; i < model->channels_count; i++) {
        struct model_channel *channel = &model->channels[i];
        settle_lists(script, channel);
        settle_rows(script, channel);
        check_log(script, channel, LOG_CHAT);
        check_log(script, channel, LOG_COMMAND);
    }
    for (uint8_t uid = 0; uid < UIDS_COUNT; uid++) {
        for (uint32_t flag = 0; flag < FLAGS_COUNT; flag++) {
            settle_device(script, uid, flag);
        }
    }
    settle_system(script);
    check_ids(script);
}
