/* What changes of channels, devices and system accounts may have done in a round. */
#include "model/resolve.h"

#include "support/test.h"

/* ---- Changes of lists. ---- */

static bool task_is_certain(const struct task *task)
{
    return task->is_home && task->result == ERR_OK;
}

static void lists_clear(struct lists *lists, enum list_kind list)
{
    lists->members[list] = 0;
    if (list == LIST_SUBSCRIBER) {
        lists->has_crowd = false;
    }
}

/* What is true after the first of the two steps of a change, and after both. A list is emptied
 * together with what comes into it, so that it is not seen empty in between. */
static void lists_change(const struct task *task, struct lists *lists, bool is_whole)
{
    const bool is_making = task->change_kind == CHANGE_PUT || task->change_kind == CHANGE_ADD;
    if (!lists->is_stored && !is_making) {
        return;
    }
    lists->is_stored = true;
    if (task->change_kind == CHANGE_PUT) {
        lists->flags = task->flags;
    } else if (task->change_kind == CHANGE_DISBAND) {
        lists->flags |= CHANNEL_FLAG_DISBAND;
    }
    const bool is_refilled = task->uids != 0 && !is_whole;
    if (task->change_kind == CHANGE_CLEAR || (task->is_reset && !is_refilled)) {
        lists_clear(lists, task->list);
    }
    if (is_whole && is_making) {
        lists->members[task->list] |= task->uids;
        lists->has_crowd |= task->is_crowd;
    } else if (is_whole && task->change_kind == CHANGE_REMOVE) {
        lists->members[task->list] &= ~task->uids;
    }
}

bool lists_equal(const struct lists *a, const struct lists *b)
{
    return a->is_stored == b->is_stored && a->has_crowd == b->has_crowd && a->flags == b->flags &&
           a->members[LIST_SUBSCRIBER] == b->members[LIST_SUBSCRIBER] &&
           a->members[LIST_DENY] == b->members[LIST_DENY] &&
           a->members[LIST_ALLOW] == b->members[LIST_ALLOW];
}

static void states_add(struct model_channel *channel, const struct lists *lists)
{
    for (uint32_t i = 0; i < channel->states_count; i++) {
        if (lists_equal(&channel->states[i], lists)) {
            return;
        }
    }
    CHECK(channel->states_count < STATES_MAX);
    channel->states[channel->states_count++] = *lists;
}

static void spans_add(struct model_channel *channel, const struct lists *lists, uint32_t begin_step,
                      uint32_t end_step)
{
    CHECK(channel->spans_count < STATES_MAX);
    channel->spans[channel->spans_count++] =
        (struct lists_span){.lists = *lists, .begin_step = begin_step, .end_step = end_step};
}

static void change_states(struct model_channel *channel, const struct task *task)
{
    const bool is_certain = task_is_certain(task);
    struct lists before[STATES_MAX];
    const uint32_t count = channel->states_count;
    memcpy(before, channel->states, count * sizeof(*before));
    const uint32_t open_step = is_certain ? task->home_step : STEP_FOR_EVER;
    if (is_certain) {
        channel->states_count = 0;
        for (uint32_t i = 0; i < channel->spans_count; i++) {
            if (channel->spans[i].end_step == STEP_FOR_EVER) {
                channel->spans[i].end_step = task->home_step;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct lists half = before[i];
        struct lists whole = before[i];
        lists_change(task, &half, false);
        lists_change(task, &whole, true);
        spans_add(channel, &half, task->posted_step, open_step);
        spans_add(channel, &whole, task->posted_step, STEP_FOR_EVER);
        if (!is_certain) {
            states_add(channel, &half);
        }
        states_add(channel, &whole);
    }
}

/* ---- Changes of conversation rows: semantics 2.5 and 5.1. ---- */

static enum row_effect change_effect(const struct task *task, uint8_t type)
{
    const bool is_adding = task->change_kind == CHANGE_ADD || task->change_kind == CHANGE_PUT;
    if (type == CHANNEL_LIVE || (!is_adding && task->change_kind != CHANGE_REMOVE)) {
        return ROW_STAYS;
    }
    if (type == CHANNEL_PERSON) { /* rule 9; compatibility.md for the deny list */
        return task->list == LIST_ALLOW && is_adding && !task->is_reset ? ROW_IF_ABSENT : ROW_STAYS;
    }
    switch (task->list) {
    case LIST_SUBSCRIBER:
        return is_adding ? ROW_OVERWRITTEN : ROW_ENDS; /* rules 4 and 5 */
    case LIST_DENY:
        return is_adding ? ROW_HIDDEN : ROW_IF_ABSENT; /* rules 7 and 8 */
    case LIST_ALLOW:
    case LIST_INVALID:
        break;
    }
    return ROW_STAYS;
}

bool is_sent_to(const struct script *script, const struct model_channel *channel)
{
    const uint32_t number = model_channel_number(&script->model, channel);
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        if (task->kind == TASK_SEND && script->model.asked[task->serial].channel == number) {
            return true;
        }
    }
    return false;
}

/* The channel of the two is made for the row. */
static void make_pair(struct model_channel *pair, bool is_certain)
{
    const uint32_t count = pair->states_count;
    for (uint32_t i = 0; i < count; i++) {
        struct lists stored = pair->states[i];
        stored.is_stored = true;
        if (is_certain) {
            pair->states[i] = stored;
        } else {
            states_add(pair, &stored);
        }
    }
}

static void change_person_row(struct script *script, const struct task *task, uint8_t uid,
                              const struct model_channel *person)
{
    struct model_channel *pair =
        model_channel_meant(&script->model, uid, CHANNEL_PERSON, model_channel_name(person).id);
    CHECK(pair != NULL);
    const struct row row = {.is_listed = true, .joined_seq = 1};
    /* It may be written before the first message or behind it. */
    const bool is_certain = task_is_certain(task) && !is_sent_to(script, pair);
    rows_change(&pair->rows[uid], ROW_IF_ABSENT, &row, is_certain);
    make_pair(pair, task_is_certain(task));
    pair->is_changed = true;
}

static void change_rows(struct script *script, const struct task *task,
                        struct model_channel *channel)
{
    const enum row_effect effect = change_effect(task, channel->type);
    bool is_known_for_sure = true;
    bool is_known_perhaps = task->change_kind == CHANGE_ADD || task->change_kind == CHANGE_PUT;
    for (uint32_t i = 0; i < channel->states_count && !is_known_perhaps; i++) {
        is_known_for_sure &= channel->states[i].is_stored;
    }
    for (uint32_t i = 0; i < channel->states_count; i++) {
        is_known_perhaps |= channel->states[i].is_stored;
    }
    if (effect == ROW_STAYS || !is_known_perhaps) {
        return;
    }
    const uint64_t last = channel->logs[LOG_CHAT].count;
    const struct row row = {
        .is_listed = true,
        .read_seq = last,
        .joined_seq = last + 1,
        .gets_commands = channel->type != CHANNEL_DATA && channel->type != CHANNEL_TEMP,
        .command_read_seq = channel->logs[LOG_COMMAND].count,
    };
    const struct bytes visitor = name_visitor(model_channel_name(channel).id, channel->type);
    for (uint8_t uid = 0; uid < UIDS_COUNT; uid++) {
        if (!set_has(task->uids, uid)) {
            continue;
        }
        /* A visitor who leaves the list goes on getting the commands: he is a member without it. */
        const bool is_visitor = visitor.size > 0 && uid_of_name(visitor) == uid;
        if (channel->type == CHANNEL_PERSON) {
            change_person_row(script, task, uid, channel);
        } else {
            const enum row_effect his = effect == ROW_ENDS && is_visitor ? ROW_HIDDEN : effect;
            rows_change(&channel->rows[uid], his, &row, task_is_certain(task) && is_known_for_sure);
        }
    }
}

/* Who gets what was sent before in this round depends on when the members are read. */
static void widen_receivers(struct script *script, struct model_channel *channel)
{
    uint32_t all = UINT32_MAX;
    uint32_t any = 0;
    for (uint32_t i = 0; i < channel->states_count; i++) {
        const uint32_t members = model_members(channel, &channel->states[i]);
        all &= members;
        any |= members;
    }
    for (uint32_t log = 0; log < LOG_KINDS_COUNT; log++) {
        struct log *sent = &channel->logs[log];
        for (uint32_t i = sent->count; i > 0 && sent->messages[i - 1].round == script->round; i--) {
            if (script->model.asked[sent->messages[i - 1].serial].recipients == 0) {
                sent->messages[i - 1].must &= all;
                sent->messages[i - 1].may |= any;
            }
        }
    }
    const uint32_t number = model_channel_number(&script->model, channel);
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        struct task *task = &script->tasks[i];
        const struct asked *asked = &script->model.asked[task->serial];
        if (task->kind == TASK_SEND && asked->channel == number && asked->recipients == 0) {
            task->must &= all;
            task->may |= any;
        }
    }
}

void resolve_change(struct script *script, const struct task *task)
{
    struct model_channel *channel = &script->model.channels[task->channel];
    if (!script->is_troubled && task->is_home) {
        CHECK_OK(task->result);
    }
    change_rows(script, task, channel);
    change_states(channel, task);
    widen_receivers(script, channel);
    channel->is_changed = true;
}

/* ---- Devices and system accounts. ---- */

bool is_during(const struct task *task, uint32_t begin_step, uint32_t end_step)
{
    const uint32_t home_step = task->is_home ? task->home_step : STEP_FOR_EVER;
    return begin_step <= home_step && end_step >= task->posted_step;
}

/* A set of enum chat_reason. */
static uint32_t device_reasons(struct script *script, const struct task *task)
{
    if (task->is_quit) {
        return 1u << CHAT_REASON_SUCCESS;
    }
    uint32_t reasons = 0;
    const struct model_channel *person = model_person(&script->model, task->uid);
    for (uint32_t i = 0; i < person->spans_count; i++) {
        const struct lists_span *span = &person->spans[i];
        if (is_during(task, span->begin_step, span->end_step)) {
            const uint32_t flags = span->lists.flags;
            const enum chat_reason reason = (flags & CHANNEL_FLAG_BAN) != 0 ? CHAT_REASON_BAN
                                            : (flags & CHANNEL_FLAG_DISBAND) != 0
                                                ? CHAT_REASON_DISBAND
                                                : CHAT_REASON_SUCCESS;
            reasons |= 1u << reason;
        }
    }
    return reasons;
}

static void device_spans_change(struct script *script, const struct task *task, uint32_t flag)
{
    struct model *model = &script->model;
    struct device_span *spans = model->device_spans[task->uid][flag];
    uint32_t *count = &model->device_spans_count[task->uid][flag];
    const bool is_certain = task_is_certain(task);
    const uint32_t before = *count;
    for (uint32_t i = 0; i < before; i++) {
        if (spans[i].end_step != STEP_FOR_EVER) {
            continue;
        }
        struct device device = spans[i].device;
        if (!task->is_quit) {
            device = (struct device){
                .is_stored = true, .has_token = true, .token = task->token, .level = task->level};
        } else if (device.is_stored) {
            device.has_token = false;
            device.token = 0;
            device.level = DEVICE_MASTER;
        }
        CHECK(*count < STATES_MAX);
        spans[(*count)++] = (struct device_span){
            .device = device, .begin_step = task->posted_step, .end_step = STEP_FOR_EVER};
        if (is_certain) {
            spans[i].end_step = task->home_step;
        }
    }
}

void resolve_device(struct script *script, const struct task *task)
{
    if (!script->is_troubled && task->is_home) {
        CHECK_OK(task->result);
    }
    if (task_is_certain(task)) {
        CHECK((device_reasons(script, task) >> task->reason & 1) != 0);
        if (task->reason != CHAT_REASON_SUCCESS) {
            return;
        }
    }
    for (uint32_t flag = 0; flag < FLAGS_COUNT; flag++) {
        if (task->device_flag == DEVICE_FLAG_ALL || task->device_flag == (int16_t)flag) {
            device_spans_change(script, task, flag);
        }
    }
}

void resolve_system(struct script *script, const struct task *task)
{
    if (!script->is_troubled && task->is_home) {
        CHECK_OK(task->result);
    }
    struct model *model = &script->model;
    const uint32_t before = model->system_spans_count;
    for (uint32_t i = 0; i < before; i++) {
        struct system_span *span = &model->system_spans[i];
        if (span->end_step != STEP_FOR_EVER) {
            continue;
        }
        const uint32_t uids = task->is_removal ? span->uids & ~task->uids : span->uids | task->uids;
        CHECK(model->system_spans_count < STATES_MAX);
        model->system_spans[model->system_spans_count++] = (struct system_span){
            .uids = uids, .begin_step = task->posted_step, .end_step = STEP_FOR_EVER};
        if (task_is_certain(task)) {
            span->end_step = task->home_step;
        }
    }
}
