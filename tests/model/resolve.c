#include "model/resolve.h"

#include "model/stored.h"

#include "support/test.h"

/* ---- Sends. ---- */

/* Which reasons are right, as a set, given all that may have been true meanwhile. */
static uint32_t send_reasons(struct script *script, const struct task *task)
{
    struct model *model = &script->model;
    const struct asked *asked = &model->asked[task->serial];
    const struct model_channel *channel = &model->channels[asked->channel];
    const struct model_channel *receiver = NULL;
    if (channel->type == CHANNEL_PERSON) {
        const uint8_t uid = model_receiver(channel, asked->from);
        receiver = uid != UID_NONE ? model_person(model, uid) : NULL;
    }
    static const struct lists_span nothing = {.end_step = STEP_FOR_EVER};
    const struct lists_span *spans = receiver != NULL ? receiver->spans : &nothing;
    const uint32_t spans_count = receiver != NULL ? receiver->spans_count : 1;
    uint32_t reasons = 0;
    for (uint32_t i = 0; i < channel->states_count; i++) {
        for (uint32_t j = 0; j < spans_count; j++) {
            for (uint32_t k = 0; k < model->system_spans_count; k++) {
                const struct system_span *system = &model->system_spans[k];
                const struct question question = {
                    .model = model,
                    .channel = channel,
                    .asked = asked,
                    .lists = &channel->states[i],
                    .receiver = &spans[j].lists,
                    .system = system->uids,
                };
                if (is_during(task, spans[j].begin_step, spans[j].end_step) &&
                    is_during(task, system->begin_step, system->end_step)) {
                    reasons |= 1u << model_judge(&question);
                }
            }
        }
    }
    return reasons;
}

static void receivers_of(const struct script *script, const struct task *task, uint32_t *out_must,
                         uint32_t *out_may)
{
    const struct asked *asked = &script->model.asked[task->serial];
    const struct model_channel *channel = &script->model.channels[asked->channel];
    uint32_t all = asked->recipients != 0 ? asked->recipients : UINT32_MAX;
    uint32_t any = asked->recipients;
    for (uint32_t i = 0; i < channel->states_count && asked->recipients == 0; i++) {
        const uint32_t members = model_members(channel, &channel->states[i]);
        all &= members;
        any |= members;
    }
    /* A list that could not be read is not delivered to. */
    *out_must = script->is_troubled ? 0 : all;
    *out_may = any;
}

/* The first message of a log makes rows, where there are none (semantics 5.1, http-api 12.1). */
static void make_row(struct model_channel *channel, uint8_t uid, const struct asked *asked)
{
    if (uid == UID_NONE) {
        return;
    }
    const uint64_t read_seq = uid == asked->from ? 1 : 0;
    const bool is_command = asked->log == LOG_COMMAND;
    const struct row row = {
        .is_listed = !is_command,
        .read_seq = read_seq,
        .joined_seq = 1,
        .gets_commands = is_command,
        .command_read_seq = read_seq,
    };
    rows_change(&channel->rows[uid], is_command ? ROW_COMMANDS_IF_ABSENT : ROW_IF_ABSENT, &row,
                true);
    channel->is_changed = true;
}

/* Those who are on no list: the two of a pair, a visitor, the people of an explicit list. */
static void make_rows(struct script *script, struct model_channel *channel,
                      const struct asked *asked)
{
    const bool is_listed =
        channel->type == CHANNEL_PERSON || channel->type == CHANNEL_CUSTOMER_SERVICE;
    if (asked->log == LOG_CHAT && (!is_listed || !script->model.is_person_allow_list_off)) {
        return;
    }
    make_row(channel, channel->pair[0], asked);
    make_row(channel, channel->pair[1], asked);
    const struct bytes visitor = name_visitor(model_channel_name(channel).id, channel->type);
    make_row(channel, visitor.size > 0 ? uid_of_name(visitor) : UID_NONE, asked);
    for (uint8_t uid = 0; uid < UIDS_COUNT; uid++) {
        if (set_has(asked->recipients, uid)) {
            make_row(channel, uid, asked);
        }
    }
}

/* Are they two sends of one connection? */
static bool is_of_same(const struct script *script, const struct task *a, const struct task *b)
{
    const uint32_t origin = script->model.asked[a->serial].origin;
    return origin != 0 && script->model.asked[b->serial].origin == origin;
}

static bool is_answered(const struct task *task)
{
    return task->is_home && task->reason == CHAT_REASON_SUCCESS;
}

/* Whose two messages are in one log hears of the first one first. */
static void check_answers(const struct script *script, const struct task *task)
{
    const struct asked *asked = &script->model.asked[task->serial];
    for (uint32_t i = 0; i < script->tasks_count && is_answered(task); i++) {
        const struct task *before = &script->tasks[i];
        if (before->kind == TASK_SEND && before->is_taken && is_answered(before) &&
            is_of_same(script, before, task)) {
            const struct asked *other = &script->model.asked[before->serial];
            CHECK(other->channel != asked->channel || other->log != asked->log ||
                  before->home_place < task->home_place);
        }
    }
}

/* It is stored: the model has it from now on. */
static void take_stored(struct script *script, struct task *task, const struct stored *stored,
                        bool is_delivered)
{
    struct model *model = &script->model;
    const struct asked *asked = &model->asked[task->serial];
    struct model_channel *channel = &model->channels[asked->channel];
    struct log *log = &channel->logs[asked->log];
    CHECK_EQ(stored->seq, log->count + 1);
    if (log->count > 0) {
        CHECK(stored->message_id > log->messages[log->count - 1].message_id);
    }
    CHECK(stored->timestamp_s >= script->wall_min_ms / 1000);
    CHECK(stored->timestamp_s <= script->wall_max_ms / 1000);
    struct message message = {
        .serial = task->serial,
        .message_id = stored->message_id,
        .timestamp_s = stored->timestamp_s,
        .round = script->round,
    };
    receivers_of(script, task, &message.must, &message.may);
    if (!is_delivered) {
        message.must = 0;
    }
    model_append(model, log, &message);
    check_answers(script, task);
    task->is_taken = true;
    for (uint32_t i = 0; i < channel->states_count; i++) {
        channel->states[i].is_stored = true;
    }
    if (log->count == 1) {
        make_rows(script, channel, asked);
    }
    script->counts.stored++;
}

static void resolve_success(struct script *script, struct task *task)
{
    struct model *model = &script->model;
    const struct asked *asked = &model->asked[task->serial];
    struct model_channel *channel = &model->channels[asked->channel];
    CHECK(task->message_id != 0);
    if ((asked->flags & MESSAGE_NO_PERSIST) != 0) {
        CHECK_EQ(task->seq, 0);
        receivers_of(script, task, &task->must, &task->may);
        script->counts.passed++;
        return;
    }
    const struct message *first = model_first(model, &channel->logs[asked->log], asked);
    if (first != NULL) {
        CHECK_EQ(task->message_id, first->message_id);
        CHECK_EQ(task->seq, first - channel->logs[asked->log].messages + 1);
        script->counts.repeated++;
        return;
    }
    const struct stored stored = stored_read_next(script, channel, asked->log);
    CHECK(stored.is_found);
    CHECK_EQ(stored.serial, task->serial);
    CHECK_EQ(stored.seq, task->seq);
    CHECK_EQ(stored.message_id, task->message_id);
    take_stored(script, task, &stored, true);
}

/* It was refused by a failure, or never answered: it is stored, or it is not. */
static void resolve_unknown(struct script *script, struct task *task)
{
    const struct model *model = &script->model;
    const struct asked *asked = &model->asked[task->serial];
    const struct model_channel *channel = &model->channels[asked->channel];
    if ((asked->flags & MESSAGE_NO_PERSIST) != 0) {
        receivers_of(script, task, &task->must, &task->may);
        task->must = 0;
        return;
    }
    if (model_first(model, &channel->logs[asked->log], asked) != NULL) {
        return;
    }
    const struct stored stored = stored_read_next(script, channel, asked->log);
    if (stored.is_found && stored.serial == task->serial) {
        CHECK((send_reasons(script, task) >> CHAT_REASON_SUCCESS & 1) != 0);
        take_stored(script, task, &stored, false);
        script->counts.kept_in_flight++;
    } else {
        script->counts.lost_in_flight++;
    }
}

/* May the sender have been mute at that moment? */
static void check_mute(struct script *script, const struct task *task)
{
    const struct asked *asked = &script->model.asked[task->serial];
    if (asked->is_privileged) {
        return;
    }
    const struct model_channel *person = model_person(&script->model, asked->from);
    bool is_right = false;
    for (uint32_t i = 0; i < person->spans_count; i++) {
        const struct lists_span *span = &person->spans[i];
        const bool is_mute = (span->lists.flags & CHANNEL_FLAG_SEND_BAN) != 0;
        is_right |= is_mute == task->is_mute && span->begin_step <= task->posted_step &&
                    span->end_step >= task->posted_step;
    }
    CHECK(is_right);
}

static void resolve_one(struct script *script, struct task *task)
{
    task->is_resolved = true;
    check_mute(script, task);
    if (task->is_mute) {
        script->counts.refused[task->reason]++;
        return;
    }
    if (!task->is_home) {
        resolve_unknown(script, task);
        return;
    }
    const bool is_failure = script->is_troubled && task->reason == CHAT_REASON_SYSTEM_ERROR;
    const bool is_right = (send_reasons(script, task) >> task->reason & 1) != 0;
    if (!is_failure && !is_right) {
        print_error("send %u: reason %d, right are %x\n", task->serial, (int)task->reason,
                    send_reasons(script, task));
    }
    CHECK(is_failure || is_right);
    if (task->reason == CHAT_REASON_SUCCESS) {
        resolve_success(script, task);
        return;
    }
    CHECK_EQ(task->seq, 0);
    CHECK(task->message_id != 0);
    script->counts.refused[task->reason]++;
    if (is_failure) {
        resolve_unknown(script, task);
    }
}

/* Somebody who waits for nothing else may pass those who do not wait (shard/intake.h), but nothing
 * of his own: may the send with this serial, which was asked for later, have been begun before this
 * one? NULL: no. */
static struct task *find_passed_by(struct script *script, const struct task *task, uint32_t serial)
{
    const struct task *end = &script->tasks[script->tasks_count];
    const uint32_t channel = script->model.asked[task->serial].channel;
    for (struct task *later = &script->tasks[task - script->tasks + 1]; later < end; later++) {
        if (later->kind == TASK_CHANGE && later->channel == channel) {
            return NULL; /* which is begun in its order */
        }
        if (later->kind == TASK_SEND && later->serial == serial) {
            const bool may_pass = later->is_alone && !later->is_resolved &&
                                  is_during(task, later->posted_step, STEP_FOR_EVER) &&
                                  !is_of_same(script, task, later);
            return may_pass ? later : NULL;
        }
    }
    return NULL;
}

/* What was asked is begun in that order, but for those who passed: then the log tells. */
static void resolve_send(struct script *script, struct task *task)
{
    const struct asked *asked = &script->model.asked[task->serial];
    const struct model_channel *channel = &script->model.channels[asked->channel];
    while (!task->is_resolved && !task->is_alone && !task->is_mute) {
        const struct stored stored = stored_read_next(script, channel, asked->log);
        struct task *first = stored.is_found ? find_passed_by(script, task, stored.serial) : NULL;
        if (first == NULL) {
            break;
        }
        resolve_one(script, first);
    }
    if (!task->is_resolved) {
        resolve_one(script, task);
    }
}

/* ---- Logins. ---- */

static bool login_is_right(const struct script *script, const struct task *task,
                           const struct device *device, uint32_t person_flags)
{
    const struct chat_settings *settings = &script->world.options.settings;
    const bool is_visitor = task->uid >= UID_VISITOR && task->uid < UID_AGENT;
    const bool is_token_needed = settings->is_token_required && task->uid != UID_MANAGER &&
                                 !(is_visitor && settings->is_visitor_free);
    enum chat_reason reason = CHAT_REASON_SUCCESS;
    uint8_t level = DEVICE_SLAVE;
    if (is_token_needed) {
        const bool is_good = task->has_token && device->is_stored && device->has_token &&
                             device->token == task->token;
        reason = is_good ? CHAT_REASON_SUCCESS : CHAT_REASON_AUTH_FAIL;
        level = device->level;
    }
    if (reason == CHAT_REASON_SUCCESS && (person_flags & CHANNEL_FLAG_BAN) != 0) {
        reason = CHAT_REASON_BAN;
    }
    return reason == task->reason && (reason != CHAT_REASON_SUCCESS || level == task->level);
}

static void explain_login(const struct script *script, const struct task *task)
{
    const struct model *model = &script->model;
    print_error("round %u: login of uid %u, flag %d, token %d %u, steps %u to %u: reason %d, "
                "level %u\n",
                script->round, task->uid, task->device_flag, task->has_token, task->token,
                task->posted_step, task->home_step, (int)task->reason, task->level);
    for (uint32_t i = 0; i < model->device_spans_count[task->uid][task->device_flag]; i++) {
        const struct device_span *span = &model->device_spans[task->uid][task->device_flag][i];
        print_error("  device stored %d token %d %u level %u, steps %u to %u\n",
                    span->device.is_stored, span->device.has_token, span->device.token,
                    span->device.level, span->begin_step, span->end_step);
    }
}

static void resolve_login(struct script *script, const struct task *task)
{
    if (!task->is_home || task->connection == NULL) {
        return; /* the client did not wait */
    }
    if (script->is_troubled && task->reason == CHAT_REASON_SYSTEM_ERROR) {
        return;
    }
    struct model *model = &script->model;
    const struct model_channel *person = model_person(model, task->uid);
    bool is_right = false;
    for (uint32_t i = 0; i < model->device_spans_count[task->uid][task->device_flag]; i++) {
        const struct device_span *device = &model->device_spans[task->uid][task->device_flag][i];
        for (uint32_t j = 0; j < person->spans_count; j++) {
            const struct lists_span *span = &person->spans[j];
            is_right |= is_during(task, device->begin_step, device->end_step) &&
                        is_during(task, span->begin_step, span->end_step) &&
                        login_is_right(script, task, &device->device, span->lists.flags);
        }
    }
    if (!is_right) {
        explain_login(script, task);
    }
    CHECK(is_right);
}

/* ---- A round. ---- */

void resolve_round(struct script *script)
{
    struct model *model = &script->model;
    /* What others depend on comes first: the records of persons, and the system accounts. */
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        if (task->kind == TASK_CHANGE && model->channels[task->channel].type == CHANNEL_PERSON) {
            resolve_change(script, task);
        } else if (task->kind == TASK_SYSTEM) {
            resolve_system(script, task);
        }
    }
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        struct task *task = &script->tasks[i];
        if (task->kind == TASK_SEND) {
            resolve_send(script, task);
        } else if (task->kind == TASK_DEVICE) {
            resolve_device(script, task);
        } else if (task->kind == TASK_CHANGE &&
                   model->channels[task->channel].type != CHANNEL_PERSON) {
            resolve_change(script, task);
        }
    }
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        if (script->tasks[i].kind == TASK_LOGIN) {
            resolve_login(script, &script->tasks[i]);
        }
    }
    settle_round(script);
}
