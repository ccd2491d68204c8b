#include "edge/source_call.h"

#include "base/assert.h"
#include "edge/source.h"
#include "memory/allocator.h"
#include "telemetry/logger.h"
#include "wire/json_text.h"

#define TEXT_BYTES_FIRST 4096u

static const char *command_name(enum source_command command)
{
    switch (command) {
    case SOURCE_SYSTEM_UIDS:
        return "getSystemUIDs";
    case SOURCE_CHANNEL_INFO:
        return "getChannelInfo";
    case SOURCE_SUBSCRIBERS:
        return "getSubscribers";
    case SOURCE_BLACKLIST:
        return "getBlacklist";
    case SOURCE_WHITELIST:
        return "getWhitelist";
    }
    UNREACHABLE();
}

/* ---- Asking. ---- */

static size_t write_body(struct source_call *call, struct channel_name channel)
{
    struct writer writer =
        writer_of(call->body + COURIER_HEADROOM, SOURCE_BODY_BYTES - COURIER_HEADROOM);
    struct json_text json = json_text_of(&writer);
    json_text_object_begin(&json);
    json_text_key(&json, "cmd");
    json_text_string(&json, bytes_of_string(command_name(call->command)));
    json_text_key(&json, "data");
    json_text_object_begin(&json);
    if (call->command != SOURCE_SYSTEM_UIDS) {
        json_text_key(&json, "channel_id");
        json_text_string(&json, channel.id);
        json_text_key(&json, "channel_type");
        json_text_unsigned(&json, channel.type);
    }
    json_text_object_end(&json);
    json_text_object_end(&json);
    ASSERT(!writer.is_full);
    return writer_size(&writer);
}

/* Twice as much as there was, up to the limit. */
static bool make_room(struct courier_call *courier, size_t size)
{
    struct source_call *call = courier->context;
    struct budget *budget = &call->source->budget;
    const size_t bytes_max = call->source->options.answer_bytes_max;
    if (size > bytes_max) {
        call->is_too_large = true;
        return false;
    }
    size_t capacity = call->capacity > 0 ? call->capacity : TEXT_BYTES_FIRST;
    while (capacity < size) {
        capacity *= 2;
    }
    capacity = capacity < bytes_max ? capacity : bytes_max;
    uint8_t *text = memory_acquire(budget, MEMORY_RANK_READ, capacity);
    if (text == NULL) {
        return false;
    }
    if (courier->answer.size > 0) {
        memcpy(text, call->text, courier->answer.size);
    }
    memory_release(budget, call->text, call->capacity);
    call->text = text;
    call->capacity = capacity;
    courier->area = text;
    courier->area_size = capacity;
    return true;
}

static void posted(struct courier_call *courier)
{
    struct source_call *call = courier->context;
    metric_took(call->source->options.metrics, LATENCY_SOURCE,
                call->source->now_ns - call->asked_ns);
    call->done(call);
}

enum err source_call_open(struct source_call *call, struct source *source)
{
    call->source = source;
    call->body = memory_acquire(&source->budget, MEMORY_RANK_DELIVER, SOURCE_BODY_BYTES);
    if (call->body == NULL) {
        return ERR_BUDGET;
    }
    call->courier.done = posted;
    call->courier.context = call;
    call->courier.room = make_room;
    call->addr_turn = source->addr_turn;
    return courier_call_open(&call->courier, &source->courier, source->addr);
}

void source_call_close(struct source_call *call)
{
    if (call->source == NULL) {
        return;
    }
    courier_call_close(&call->courier);
    source_call_forget(call);
    memory_release(&call->source->budget, call->body, SOURCE_BODY_BYTES);
    call->body = NULL;
    call->source = NULL;
}

/* The address may have changed since the last question. */
static enum err find_address(struct source_call *call)
{
    if (call->addr_turn == call->source->addr_turn) {
        return ERR_OK;
    }
    const enum err err = courier_call_readdress(&call->courier, call->source->addr);
    if (err == ERR_OK) {
        call->addr_turn = call->source->addr_turn;
    }
    return err;
}

enum err source_call_ask(struct source_call *call, enum source_command command,
                         struct channel_name channel, uint32_t timeout_ms)
{
    ASSERT(call->text == NULL);
    call->command = command;
    call->is_too_large = false;
    call->courier.timeout_ms = timeout_ms;
    call->asked_ns = call->source->now_ns;
    const enum err err = find_address(call);
    if (err != ERR_OK) {
        return err;
    }
    return courier_post(&call->courier, call->body, write_body(call, channel), BYTES_EMPTY, 0);
}

void source_call_cancel(struct source_call *call)
{
    courier_cancel(&call->courier);
    source_call_forget(call);
}

/* ---- What became of it. ---- */

static enum err outcome(const struct source_call *call)
{
    if (call->courier.status == 0) {
        return ERR_CLOSED;
    }
    if (call->courier.status != 200) {
        return ERR_DENIED;
    }
    if (call->courier.is_cut) {
        return call->is_too_large ? ERR_LIMIT : ERR_BUDGET;
    }
    return ERR_OK;
}

static enum metric result_metric(enum err err)
{
    static const struct {
        enum err err;
        enum metric metric;
    } results[] = {
        {ERR_OK, METRIC_SOURCE_CALLS},
        {ERR_CLOSED, METRIC_SOURCE_CALLS_AWAY},
        {ERR_DENIED, METRIC_SOURCE_CALLS_REFUSED},
        {ERR_LIMIT, METRIC_SOURCE_CALLS_LARGE},
        {ERR_BUDGET, METRIC_SOURCE_CALLS_FULL},
    };
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        if (results[i].err == err) {
            return results[i].metric;
        }
    }
    return METRIC_SOURCE_CALLS_UNREADABLE;
}

static enum err tell(const struct source_call *call, enum err err)
{
    metric_add(call->source->options.metrics, result_metric(err), 1);
    if (err != ERR_OK) {
        LOG_WARN("datasource_failed", F_STR("cmd", command_name(call->command)), F_ERR(err),
                 F_U64("status", call->courier.status), F_STR("why", call->courier.fault));
    }
    return err;
}

enum err source_call_uids(struct source_call *call, struct source_uids *uids)
{
    enum err err = outcome(call);
    if (err == ERR_OK) {
        const struct source_text text = {.data = call->text, .size = call->courier.answer.size};
        err = source_uids_read(uids, text);
    }
    return tell(call, err);
}

enum err source_call_flags(struct source_call *call, uint32_t *out_flags)
{
    enum err err = outcome(call);
    if (err == ERR_OK) {
        err = source_flags_read(call->courier.answer, out_flags);
    }
    return tell(call, err);
}

uint64_t source_call_hash(const struct source_call *call, const struct hash_key *key)
{
    return hash_siphash(key, call->courier.answer);
}

void source_call_forget(struct source_call *call)
{
    memory_release(&call->source->budget, call->text, call->capacity);
    call->text = NULL;
    call->capacity = 0;
    call->courier.area = NULL;
    call->courier.area_size = 0;
    call->courier.answer = BYTES_EMPTY;
}
