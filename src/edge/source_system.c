#include "edge/source_system.h"

#include "chat/system_accounts.h"
#include "edge/source.h"
#include "edge/webhook_lane.h"
#include "telemetry/logger.h"

#define NS_PER_MS 1000000u

static void rest(struct source_system *system, uint64_t wait_ms)
{
    source_uids_clear(&system->uids);
    source_call_forget(&system->call);
    system->stage = SOURCE_SYSTEM_RESTS;
    system->due_ns = system->source->now_ns + wait_ms * NS_PER_MS;
}

static void failed(struct source_system *system)
{
    system->fails++;
    rest(system, webhook_backoff_ms(system->fails, prng_next(&system->source->prng)));
}

static void succeeded(struct source_system *system)
{
    system->fails = 0;
    rest(system, system->source->settings.ttl_ms);
}

/* ---- Applying. ---- */

static void change_comes_home(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct system_change *change = CONTAINER_OF(letter, struct system_change, letter);
    struct source_system *system = change->context;
    const enum err result = change->result;
    system_change_release(change);
    system->source->changes_away--;
    if (result != ERR_OK) {
        LOG_ERROR("datasource_system_uids_refused", F_ERR(result),
                  F_U64("uids", system->uids.count));
        failed(system);
        return;
    }
    LOG_INFO("datasource_system_uids", F_U64("uids", system->uids.count));
    system->applied = system->hash;
    system->has_applied = true;
    succeeded(system);
}

static void apply(struct source_system *system)
{
    struct source *source = system->source;
    struct system_change *change =
        system_change_acquire(&source->budget, source->options.shards_count);
    if (change == NULL) {
        failed(system);
        return;
    }
    change->home = &source->mailbox;
    change->on_home = change_comes_home;
    change->context = system;
    change->is_replacement = true;
    change->uids = system->uids.items;
    change->uids_count = system->uids.count;
    system->stage = SOURCE_SYSTEM_APPLIES;
    source->changes_away++;
    system_change_post(change, &source->mailer, source->options.shards);
}

/* ---- Asking. ---- */

static void answered(struct source_call *call)
{
    struct source_system *system = CONTAINER_OF(call, struct source_system, call);
    if (call->addr_turn != system->source->addr_turn) {
        rest(system, 0); /* what is not asked any more has answered */
        return;
    }
    source_heard(system->source, call->courier.status != 0);
    system->hash = source_call_hash(call, &system->source->hash_key);
    if (source_call_uids(call, &system->uids) != ERR_OK) {
        failed(system);
    } else if (system->has_applied && system->hash == system->applied) {
        succeeded(system);
    } else {
        apply(system);
    }
}

enum err source_system_open(struct source_system *system, struct source *source)
{
    *system = (struct source_system){
        .source = source, .call = {.done = answered}, .uids = {.budget = &source->budget}};
    return source_call_open(&system->call, source);
}

void source_system_close(struct source_system *system)
{
    source_uids_clear(&system->uids);
    source_call_close(&system->call);
}

uint64_t source_system_run(struct source_system *system)
{
    if (system->stage != SOURCE_SYSTEM_RESTS || system->source->is_stopping) {
        return UINT64_MAX;
    }
    if (system->source->now_ns < system->due_ns) {
        return system->due_ns;
    }
    const struct channel_name none = {.type = 0, .id = BYTES_EMPTY};
    const enum err err = source_call_ask(&system->call, SOURCE_SYSTEM_UIDS, none,
                                         system->source->settings.timeout_ms);
    if (err != ERR_OK) {
        failed(system);
        return system->due_ns;
    }
    system->stage = SOURCE_SYSTEM_ASKS;
    return UINT64_MAX;
}

void source_system_hurry(struct source_system *system, uint64_t wait_ms)
{
    const uint64_t due_ns = system->source->now_ns + wait_ms * NS_PER_MS;
    if (system->stage == SOURCE_SYSTEM_RESTS && due_ns < system->due_ns) {
        system->due_ns = due_ns;
    }
}

void source_system_stop(struct source_system *system)
{
    if (system->stage == SOURCE_SYSTEM_ASKS) {
        source_call_cancel(&system->call);
        system->stage = SOURCE_SYSTEM_RESTS;
    }
}
