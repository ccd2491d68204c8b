#include "edge/source_flight.h"

#include "base/assert.h"
#include "chat/change.h"
#include "chat/inquiry.h"
#include "edge/source.h"
#include "memory/allocator.h"
#include "telemetry/logger.h"

#define NS_PER_MS 1000000u

static void ask_next(struct source_flight *flight);

/* ---- The questions of a channel. ---- */

/* In the order of the commands: what comes first decides about more. */
static bool is_wanted(const struct source_flight *flight, enum source_command command)
{
    const struct source_options *options = &flight->source->options;
    const bool is_person = flight->name.type == CHANNEL_PERSON;
    switch (command) {
    case SOURCE_SYSTEM_UIDS:
        return false;
    case SOURCE_CHANNEL_INFO:
        return options->asks_info && !is_person;
    case SOURCE_SUBSCRIBERS:
        return options->asks_lists && !is_person;
    case SOURCE_BLACKLIST:
    case SOURCE_WHITELIST:
        return options->asks_lists;
    }
    UNREACHABLE();
}

static enum list_kind list_of(enum source_command command)
{
    if (command == SOURCE_SUBSCRIBERS) {
        return LIST_SUBSCRIBER;
    }
    return command == SOURCE_BLACKLIST ? LIST_DENY : LIST_ALLOW;
}

static void flight_end(struct source_flight *flight)
{
    flight->stage = SOURCE_FLIGHT_IDLE;
    source_landed(flight->source, flight);
}

static void forget_answer(struct source_flight *flight)
{
    source_difference_clear(&flight->difference);
    source_uids_clear(&flight->uids);
    source_call_forget(&flight->call);
}

/* On with the next question. */
static void answer_ends(struct source_flight *flight, enum err err)
{
    forget_answer(flight);
    flight->has_failed = flight->has_failed || err != ERR_OK;
    flight->command++;
    ask_next(flight);
}

/* ---- The differences, as changes. ---- */

static void post_next_change(struct source_flight *flight);

static void change_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct change *change =
        CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct change, op);
    struct source_flight *flight = change->op.context;
    const enum err result = change->result;
    const bool is_removal = change->kind == CHANGE_REMOVE;
    change_release(change);
    flight->source->changes_away--;
    if (result != ERR_OK) {
        LOG_ERROR("datasource_change_failed", F_ERR(result));
        answer_ends(flight, result);
        return;
    }
    metric_add(flight->source->options.metrics, METRIC_SOURCE_CHANGES, 1);
    if (is_removal) {
        flight->difference.removed_count = 0;
    } else {
        flight->uids.count = 0;
    }
    post_next_change(flight);
}

/* A change of the flight's channel to fill in; NULL: no room. */
static struct change *make_change(struct source_flight *flight, enum change_kind kind)
{
    struct source *source = flight->source;
    struct change *change = change_acquire(&source->budget, source->options.shards_count);
    if (change != NULL) {
        change->op.home = &source->mailbox;
        change->op.on_home = change_comes_home;
        change->op.context = flight;
        change->kind = kind;
        change->is_answer = true;
        change->name = flight->name;
    }
    return change;
}

static void post_change(struct source_flight *flight, struct change *change)
{
    struct source *source = flight->source;
    flight->stage = SOURCE_FLIGHT_APPLIES;
    source->changes_away++;
    change_post(change, &source->mailer, source->options.shards, source->options.shards_count);
}

/* Who goes, then who comes. */
static void post_next_change(struct source_flight *flight)
{
    const struct source_difference *difference = &flight->difference;
    const bool has_removed = difference->removed_count > 0;
    if (!has_removed && flight->uids.count == 0) {
        answer_ends(flight, ERR_OK);
        return;
    }
    struct change *change = make_change(flight, has_removed ? CHANGE_REMOVE : CHANGE_ADD);
    if (change == NULL) {
        answer_ends(flight, ERR_BUDGET);
        return;
    }
    change->list = list_of(flight->command);
    change->uids = has_removed ? difference->removed : flight->uids.items;
    change->uids_count = has_removed ? difference->removed_count : flight->uids.count;
    post_change(flight, change);
}

/* ---- Answers. ---- */

static enum err load_channel(const struct source_flight *flight, struct channel_state *out_state)
{
    const enum err err =
        store_load_channel(flight->source->options.store, STORE_MAY_BLOCK, flight->name, out_state);
    if (err == ERR_ABSENT) {
        *out_state = (struct channel_state){.ref = {.number = 0}};
        return ERR_OK;
    }
    return err;
}

static enum err take_uids(struct source_flight *flight)
{
    enum err err = source_call_uids(&flight->call, &flight->uids);
    struct channel_state state;
    if (err == ERR_OK) {
        err = load_channel(flight, &state);
    }
    if (err == ERR_OK) {
        const struct list_ref list = {.channel = state.ref, .kind = list_of(flight->command)};
        err = source_difference_make(&flight->difference, &flight->uids,
                                     flight->source->options.store, list);
    }
    return err;
}

static void take_list(struct source_flight *flight)
{
    const enum err err = take_uids(flight);
    if (err == ERR_OK) {
        post_next_change(flight);
    } else {
        answer_ends(flight, err);
    }
}

static void take_flags(struct source_flight *flight)
{
    uint32_t flags = 0;
    struct channel_state state;
    enum err err = source_call_flags(&flight->call, &flags);
    if (err == ERR_OK) {
        err = load_channel(flight, &state);
    }
    if (err != ERR_OK || (state.row.flags & SOURCE_INFO_FLAGS) == flags) {
        answer_ends(flight, err);
        return;
    }
    struct change *change = make_change(flight, CHANGE_PUT);
    if (change == NULL) {
        answer_ends(flight, ERR_BUDGET);
        return;
    }
    change->flags = flags;
    change->flags_kept = ~SOURCE_INFO_FLAGS;
    post_change(flight, change);
}

static void answered(struct source_call *call)
{
    struct source_flight *flight = CONTAINER_OF(call, struct source_flight, call);
    const bool is_away = call->courier.status == 0;
    source_heard(flight->source, !is_away);
    if (flight->command == SOURCE_CHANNEL_INFO) {
        take_flags(flight);
    } else {
        take_list(flight);
    }
}

/* ---- Asking. ---- */

static bool has_time(const struct source_flight *flight)
{
    const struct source *source = flight->source;
    return source->now_ns + NS_PER_MS <= flight->until_ns && !source->is_stopping &&
           !source_is_down(source);
}

static void ask_next(struct source_flight *flight)
{
    while (flight->command <= SOURCE_WHITELIST && !is_wanted(flight, flight->command)) {
        flight->command++;
    }
    if (flight->command > SOURCE_WHITELIST) {
        flight_end(flight);
        return;
    }
    enum err err = ERR_CLOSED;
    if (has_time(flight)) {
        const uint64_t left_ns = flight->until_ns - flight->source->now_ns;
        err = source_call_ask(&flight->call, flight->command, flight->name,
                              (uint32_t)(left_ns / NS_PER_MS));
    }
    if (err == ERR_OK) {
        flight->stage = SOURCE_FLIGHT_ASKS;
        return;
    }
    flight->has_failed = true;
    flight_end(flight);
}

void source_flight_begin(struct source_flight *flight, struct inquiry *inquiry)
{
    ASSERT(flight->stage == SOURCE_FLIGHT_IDLE);
    ASSERT(inquiry->name.id.size <= sizeof(flight->id));
    memcpy(flight->id, inquiry->name.id.data, inquiry->name.id.size);
    flight->name = (struct channel_name){.type = inquiry->name.type,
                                         .id = {.data = flight->id, .size = inquiry->name.id.size}};
    flight->hash = inquiry->hash;
    flight->has_failed = false;
    flight->until_ns =
        inquiry->asked_ns + (uint64_t)flight->source->settings.timeout_ms * NS_PER_MS;
    flight->command = SOURCE_SYSTEM_UIDS;
    list_push_back(&flight->inquiries, &inquiry->link);
    ask_next(flight);
}

/* ---- Life cycle. ---- */

enum err source_flight_open(struct source_flight *flight, struct source *source)
{
    *flight = (struct source_flight){.source = source,
                                     .call = {.done = answered},
                                     .uids = {.budget = &source->budget},
                                     .difference = {.budget = &source->budget}};
    list_init(&flight->inquiries);
    return source_call_open(&flight->call, source);
}

void source_flight_close(struct source_flight *flight)
{
    if (flight->source == NULL) {
        return;
    }
    forget_answer(flight);
    source_call_close(&flight->call);
    flight->source = NULL;
}

void source_flight_stop(struct source_flight *flight)
{
    if (flight->stage == SOURCE_FLIGHT_ASKS) {
        source_call_cancel(&flight->call);
        flight->has_failed = true;
        flight_end(flight);
    }
}
