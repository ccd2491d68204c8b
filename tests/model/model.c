#include "model/model.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "system/crypto.h"

#include "support/test.h"

#include <stdio.h>

#define LOG_FIRST 64u

/* ---- Names. ---- */

/* Names are needed all the time and never change: they are made once, by model_begin. */
static struct {
    char uids[UIDS_COUNT][TEXT_BYTES_MAX];
    char crowd[CROWD_COUNT][TEXT_BYTES_MAX];
} names;

static void names_make(void)
{
    for (uint32_t i = 0; i < UIDS_COUNT; i++) {
        if (i < PEOPLE_COUNT) {
            snprintf(names.uids[i], TEXT_BYTES_MAX, "person-%u", i);
        } else if (i < UID_AGENT) {
            snprintf(names.uids[i], TEXT_BYTES_MAX, "guest%u___vstr", i);
        } else {
            snprintf(names.uids[i], TEXT_BYTES_MAX, "bot.%u", i);
        }
    }
    snprintf(names.uids[UID_MANAGER], TEXT_BYTES_MAX, "____manager");
    snprintf(names.uids[UID_SYSTEM], TEXT_BYTES_MAX, "____system");
    for (uint32_t i = 0; i < CROWD_COUNT; i++) {
        snprintf(names.crowd[i], TEXT_BYTES_MAX, "crowd%u", i);
    }
}

struct bytes name_of_uid(uint8_t uid)
{
    CHECK(uid < UIDS_COUNT);
    return bytes_of_string(names.uids[uid]);
}

struct bytes name_of_crowd(uint32_t index)
{
    CHECK(index < CROWD_COUNT);
    return bytes_of_string(names.crowd[index]);
}

uint8_t uid_of_name(struct bytes name)
{
    for (uint8_t i = 0; i < UIDS_COUNT; i++) {
        if (bytes_equal(name, name_of_uid(i))) {
            return i;
        }
    }
    return UID_NONE;
}

struct bytes text_of_number(char area[TEXT_BYTES_MAX], const char *beginning, uint32_t number)
{
    if (number == 0) {
        return BYTES_EMPTY;
    }
    snprintf(area, TEXT_BYTES_MAX, "%s%u", beginning, number);
    return bytes_of_string(area);
}

void hash_of_token(uint8_t token, uint8_t hash[STORE_TOKEN_HASH_BYTES])
{
    char text[TEXT_BYTES_MAX];
    crypto_sha256(text_of_number(text, "token", token + 1u), hash);
}

/* ---- Channels. ---- */

void model_begin(struct model *model)
{
    names_make();
    budget_init(&model->budget, "model", NULL, BUDGET_UNLIMITED);
    model->asked_count = 1;
    model->system_spans_count = 1;
    model->system_spans[0].end_step = STEP_FOR_EVER;
    for (uint32_t uid = 0; uid < UIDS_COUNT; uid++) {
        for (uint32_t flag = 0; flag < FLAGS_COUNT; flag++) {
            model->device_spans_count[uid][flag] = 1;
            model->device_spans[uid][flag][0].end_step = STEP_FOR_EVER;
        }
    }
}

void model_end(struct model *model)
{
    for (uint32_t i = 0; i < model->channels_count; i++) {
        for (uint32_t log = 0; log < LOG_KINDS_COUNT; log++) {
            const struct log *ended = &model->channels[i].logs[log];
            memory_release(&model->budget, ended->messages,
                           ended->capacity * sizeof(*ended->messages));
        }
    }
    CHECK_EQ(budget_used(&model->budget), 0);
}

struct channel_name model_channel_name(const struct model_channel *channel)
{
    return (struct channel_name){.type = channel->type,
                                 .id = {.data = channel->id, .size = channel->id_size}};
}

uint32_t model_channel_number(const struct model *model, const struct model_channel *channel)
{
    return (uint32_t)(channel - model->channels);
}

/* The two sides of `first@second`, for the types whose ids are made so. */
static void find_pair(struct model_channel *channel)
{
    channel->pair[0] = UID_NONE;
    channel->pair[1] = UID_NONE;
    const struct bytes id = model_channel_name(channel).id;
    const uint8_t *at = memchr(id.data, '@', id.size);
    if (at != NULL && (channel->type == CHANNEL_PERSON || channel->type == CHANNEL_AGENT)) {
        const size_t size = (size_t)(at - id.data);
        channel->pair[0] = uid_of_name((struct bytes){.data = id.data, .size = size});
        channel->pair[1] = uid_of_name(bytes_skip(id, size + 1));
    }
}

struct model_channel *model_channel(struct model *model, uint8_t type, struct bytes id)
{
    for (uint32_t i = 0; i < model->channels_count; i++) {
        struct model_channel *channel = &model->channels[i];
        if (channel->type == type && bytes_equal(model_channel_name(channel).id, id)) {
            return channel;
        }
    }
    CHECK(model->channels_count < CHANNELS_MAX);
    CHECK(id.size <= NAME_PAIR_BYTES_MAX);
    struct model_channel *channel = &model->channels[model->channels_count++];
    channel->type = type;
    channel->id_size = (uint16_t)id.size;
    memcpy(channel->id, id.data, id.size);
    channel->states_count = 1;
    channel->spans_count = 1;
    channel->spans[0] = (struct lists_span){.end_step = STEP_FOR_EVER};
    for (uint32_t i = 0; i < UIDS_COUNT; i++) {
        channel->rows[i].count = 1;
    }
    find_pair(channel);
    return channel;
}

struct model_channel *model_channel_meant(struct model *model, uint8_t uid, uint8_t type,
                                          struct bytes id)
{
    uint8_t area[NAME_PAIR_BYTES_MAX];
    struct bytes internal;
    if (name_internal(name_of_uid(uid), id, type, area, &internal) != ERR_OK) {
        return NULL;
    }
    return model_channel(model, type, internal);
}

struct model_channel *model_person(struct model *model, uint8_t uid)
{
    return model_channel(model, CHANNEL_PERSON, name_of_uid(uid));
}

struct bytes model_channel_seen(const struct model_channel *channel, uint8_t from, uint8_t uid)
{
    switch (channel->type) {
    case CHANNEL_PERSON:
        if (from == UID_SYSTEM) {
            return BYTES_EMPTY; /* rule 3 */
        }
        return name_of_uid(model_receiver(channel, uid));
    case CHANNEL_AGENT:
        return name_of_uid(channel->pair[1]);
    default:
        return model_channel_name(channel).id;
    }
}

static uint32_t set_of(uint8_t uid)
{
    return uid < UIDS_COUNT ? 1u << uid : 0;
}

uint32_t model_members(const struct model_channel *channel, const struct lists *lists)
{
    const struct bytes id = model_channel_name(channel).id;
    const uint32_t subscribers = lists->members[LIST_SUBSCRIBER];
    switch (channel->type) {
    case CHANNEL_PERSON:
    case CHANNEL_AGENT:
        return set_of(channel->pair[0]) | set_of(channel->pair[1]);
    case CHANNEL_VISITORS:
        return subscribers | set_of(uid_of_name(id));
    case CHANNEL_CUSTOMER_SERVICE: {
        const uint8_t *bar = memchr(id.data, '|', id.size);
        const size_t size = bar != NULL ? (size_t)(bar - id.data) : 0;
        return subscribers | set_of(uid_of_name((struct bytes){.data = id.data, .size = size}));
    }
    default:
        return subscribers;
    }
}

/* ---- Who may send. ---- */

uint8_t model_receiver(const struct model_channel *channel, uint8_t from)
{
    return channel->pair[0] == from ? channel->pair[1] : channel->pair[0];
}

static bool is_system(const struct question *question, uint8_t uid)
{
    return uid == UID_SYSTEM || set_has(question->system, uid);
}

static enum chat_reason judge_person(const struct question *question)
{
    const uint8_t from = question->asked->from;
    const struct lists *receiver = question->receiver;
    if (is_system(question, model_receiver(question->channel, from))) {
        return CHAT_REASON_SUCCESS; /* P1 */
    }
    if (set_has(receiver->members[LIST_DENY], from)) {
        return CHAT_REASON_IN_BLACKLIST; /* P2 */
    }
    if (!question->model->is_person_allow_list_off &&
        !set_has(receiver->members[LIST_ALLOW], from) &&
        (receiver->flags & CHANNEL_FLAG_ALLOW_STRANGER) == 0) {
        return CHAT_REASON_NOT_IN_WHITELIST; /* P3 */
    }
    return CHAT_REASON_SUCCESS;
}

static enum chat_reason judge_common(const struct question *question)
{
    const uint8_t from = question->asked->from;
    const struct lists *lists = question->lists;
    if (set_has(lists->members[LIST_DENY], from)) {
        return CHAT_REASON_IN_BLACKLIST; /* C1 */
    }
    if (!set_has(lists->members[LIST_SUBSCRIBER], from)) {
        return CHAT_REASON_NOT_SUBSCRIBER; /* C2 */
    }
    if (lists->members[LIST_ALLOW] != 0 && !set_has(lists->members[LIST_ALLOW], from)) {
        return CHAT_REASON_NOT_IN_WHITELIST; /* C3 */
    }
    return CHAT_REASON_SUCCESS;
}

enum chat_reason model_judge(const struct question *question)
{
    const struct model_channel *channel = question->channel;
    const uint8_t type = channel->type;
    const uint8_t from = question->asked->from;
    const bool is_ban_looked_at = type != CHANNEL_CUSTOMER_SERVICE && type != CHANNEL_INFO &&
                                  type != CHANNEL_VISITORS && type != CHANNEL_AGENT; /* 4 */
    if (is_ban_looked_at && (question->lists->flags & CHANNEL_FLAG_BAN) != 0) {
        return CHAT_REASON_BAN; /* 5 */
    }
    if ((question->lists->flags & CHANNEL_FLAG_DISBAND) != 0) {
        return CHAT_REASON_DISBAND; /* 6, for every type */
    }
    if (type == CHANNEL_INFO || type == CHANNEL_CUSTOMER_SERVICE) {
        return CHAT_REASON_SUCCESS; /* 7 */
    }
    if (type == CHANNEL_AGENT && (channel->pair[0] == from || channel->pair[1] == from)) {
        return CHAT_REASON_SUCCESS; /* 8 */
    }
    if (type == CHANNEL_VISITORS && uid_of_name(model_channel_name(channel).id) == from) {
        return CHAT_REASON_SUCCESS; /* 9 */
    }
    if (question->asked->is_privileged) {
        return CHAT_REASON_SUCCESS; /* 10 */
    }
    if (is_system(question, from)) {
        return CHAT_REASON_SUCCESS; /* 11 */
    }
    if (type == CHANNEL_AGENT) {
        return CHAT_REASON_NOT_ALLOW_SEND; /* it has no lists: neither of the two is nobody */
    }
    return type == CHANNEL_PERSON ? judge_person(question) : judge_common(question); /* 12 */
}

/* ---- Logs. ---- */

const struct message *model_first(const struct model *model, const struct log *log,
                                  const struct asked *asked)
{
    if (asked->client_msg_no == 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < log->count; i++) {
        const struct asked *other = &model->asked[log->messages[i].serial];
        if (other->from == asked->from && other->client_msg_no == asked->client_msg_no) {
            return &log->messages[i];
        }
    }
    return NULL;
}

struct message *model_append(struct model *model, struct log *log, const struct message *message)
{
    if (log->count == log->capacity) {
        const uint32_t capacity = log->capacity == 0 ? LOG_FIRST : 2 * log->capacity;
        struct message *grown =
            memory_acquire(&model->budget, MEMORY_RANK_DRAIN, capacity * sizeof(*grown));
        CHECK(grown != NULL);
        if (log->count > 0) {
            memcpy(grown, log->messages, log->count * sizeof(*grown));
        }
        memory_release(&model->budget, log->messages, log->capacity * sizeof(*grown));
        log->messages = grown;
        log->capacity = capacity;
    }
    log->messages[log->count] = *message;
    return &log->messages[log->count++];
}

/* ---- Conversation rows. ---- */

bool row_equal(const struct row *a, const struct row *b)
{
    if (a->is_listed != b->is_listed || a->gets_commands != b->gets_commands) {
        return false;
    }
    if (a->is_listed && (a->read_seq != b->read_seq || a->joined_seq != b->joined_seq)) {
        return false;
    }
    return !a->gets_commands ||
           (a->command_read_seq == b->command_read_seq && a->command_end_seq == b->command_end_seq);
}

bool row_may_become(const struct row *before, const struct row *after, uint64_t acknowledged_seq)
{
    struct row moved = *before;
    if (before->gets_commands && !after->gets_commands) {
        moved.gets_commands =
            before->command_end_seq == 0 || before->command_end_seq > acknowledged_seq;
    } else if (after->command_read_seq > before->command_read_seq &&
               after->command_read_seq <= acknowledged_seq) {
        moved.command_read_seq = after->command_read_seq;
    }
    return row_equal(&moved, after);
}

static void rows_add(struct rows *rows, const struct row *row)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        if (row_equal(&rows->rows[i], row)) {
            return;
        }
    }
    CHECK(rows->count < ROWS_MAX);
    rows->rows[rows->count++] = *row;
}

static void row_end(struct row *row, uint64_t last_command)
{
    if (row->command_end_seq == 0) {
        row->command_end_seq = last_command;
    }
    row->is_listed = false;
    row->gets_commands = row->gets_commands && row->command_read_seq < row->command_end_seq;
}

static void row_take_commands(struct row *row, const struct row *from)
{
    row->gets_commands = from->gets_commands;
    row->command_read_seq = from->command_read_seq;
    row->command_end_seq = 0;
}

static void row_take_listed(struct row *row, const struct row *from)
{
    row->is_listed = from->is_listed;
    row->read_seq = from->read_seq;
    row->joined_seq = from->joined_seq;
}

static struct row row_changed(const struct row *before, enum row_effect effect,
                              const struct row *row)
{
    struct row changed = *before;
    switch (effect) {
    case ROW_STAYS:
        break;
    case ROW_OVERWRITTEN:
        row_take_listed(&changed, row);
        if (row->gets_commands && (!before->gets_commands || before->command_end_seq > 0)) {
            row_take_commands(&changed, row);
        }
        break;
    case ROW_IF_ABSENT:
        if (!before->is_listed) {
            row_take_listed(&changed, row);
        }
        break;
    case ROW_COMMANDS_IF_ABSENT:
        if (!before->gets_commands) {
            row_take_commands(&changed, row);
        }
        break;
    case ROW_HIDDEN:
        changed.is_listed = false;
        break;
    case ROW_ENDS:
        row_end(&changed, row->command_read_seq);
        break;
    }
    if (!changed.gets_commands) {
        changed.command_end_seq = 0;
    }
    return changed;
}

void rows_change(struct rows *rows, enum row_effect effect, const struct row *row, bool is_certain)
{
    const struct rows before = *rows;
    if (is_certain) {
        rows->count = 0;
    }
    for (uint32_t i = 0; i < before.count; i++) {
        const struct row changed = row_changed(&before.rows[i], effect, row);
        rows_add(rows, &changed);
    }
}
