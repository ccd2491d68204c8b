#include "chat/event.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "chat/event_records.h"
#include "chat/message.h"
#include "memory/allocator.h"
#include "telemetry/logger.h"

struct event *event_acquire(struct budget *budget)
{
    struct event *event = memory_acquire_zeroed(budget, MEMORY_RANK_READ, sizeof(*event));
    if (event != NULL) {
        event->budget = budget;
    }
    return event;
}

void event_release(struct event *event)
{
    ASSERT(event->message == NULL);
    ASSERT(event->image == NULL);
    memory_release(event->budget, event, sizeof(*event));
}

/* ---- What becomes of the lane. ---- */

static bool is_stored_kind(enum event_kind kind)
{
    return kind != EVENT_DELTA;
}

static enum lane_status status_after(enum event_kind kind, enum lane_status before)
{
    switch (kind) {
    case EVENT_DELTA:
        return LANE_OPEN;
    case EVENT_CLOSE:
    case EVENT_FINISH:
        return LANE_CLOSED;
    case EVENT_ERROR:
        return LANE_ERROR;
    case EVENT_CANCEL:
        return LANE_CANCELLED;
    case EVENT_OTHER:
    case EVENT_SNAPSHOT:
        break;
    }
    return before;
}

static bool has_text(const struct lane *lane)
{
    return lane != NULL && lane->form == LANE_TEXT && lane->content_size > 0;
}

static enum content_change delta_change(const struct event_content *content,
                                        const struct lane *lane)
{
    if (content->bytes.size == 0) {
        return CONTENT_STAYS;
    }
    if (content->form == LANE_TEXT) {
        return has_text(lane) ? CONTENT_GROWS : CONTENT_REPLACED;
    }
    return has_text(lane) ? CONTENT_STAYS : CONTENT_REPLACED; /* text goes before other values */
}

static enum content_change change_of(const struct event *event, const struct lane *lane)
{
    switch (event->kind) {
    case EVENT_DELTA:
        return delta_change(&event->content, lane);
    case EVENT_SNAPSHOT:
        return CONTENT_REPLACED;
    case EVENT_CLOSE:
    case EVENT_ERROR:
    case EVENT_CANCEL: {
        /* What was gathered goes before what the end brings along. */
        const bool is_free = lane == NULL || lane->content_size == 0 || lane->is_given;
        return event->content.bytes.size > 0 && is_free ? CONTENT_REPLACED : CONTENT_STAYS;
    }
    case EVENT_OTHER:
    case EVENT_FINISH:
        break;
    }
    return CONTENT_STAYS;
}

static enum event_result refusal_of(const struct event *event, const struct lane *lane)
{
    if (lane == NULL) {
        return EVENT_DONE;
    }
    if (is_stored_kind(event->kind) && lane->seq > 0 &&
        bytes_equal(lane_event_id(lane), event->id)) {
        return EVENT_REPEATED;
    }
    if (lane_status_is_final(lane->status)) {
        return is_stored_kind(event->kind) ? EVENT_REPEATED : EVENT_CLOSED;
    }
    return EVENT_DONE;
}

struct event_plan event_plan(const struct event *event, const struct lane *lane,
                             uint32_t lanes_count, uint64_t content_bytes,
                             uint64_t content_bytes_max)
{
    const enum lane_status before = lane != NULL ? lane->status : LANE_UNSET;
    struct event_plan plan = {.result = refusal_of(event, lane), .status = before};
    if (plan.result != EVENT_DONE) {
        return plan;
    }
    if (lane == NULL && lanes_count >= STREAM_LANES_MAX) {
        plan.result = EVENT_TOO_MANY;
        return plan;
    }
    plan.is_stored = is_stored_kind(event->kind);
    plan.status = status_after(event->kind, before);
    plan.change = change_of(event, lane);
    plan.form = lane != NULL ? lane->form : LANE_EMPTY;
    plan.is_given = lane != NULL && lane->is_given;
    if (plan.change != CONTENT_STAYS) {
        plan.form = event->content.bytes.size > 0 ? event->content.form : LANE_EMPTY;
        plan.is_given = event->kind != EVENT_DELTA;
        const uint64_t replaced =
            lane != NULL && plan.change == CONTENT_REPLACED ? lane->content_size : 0;
        if (content_bytes - replaced + event->content.bytes.size > content_bytes_max) {
            plan.result = EVENT_TOO_LARGE;
        }
    }
    plan.has_lane_record = lane == NULL || plan.is_stored || plan.status != before ||
                           plan.form != lane->form || plan.is_given != lane->is_given;
    return plan;
}

/* ---- Answering. ---- */

static enum metric result_metric(const struct event *event)
{
    switch (event->result) {
    case EVENT_DONE:
        return is_stored_kind(event->kind) ? METRIC_EVENTS_STORED : METRIC_EVENTS_DELTA;
    case EVENT_REPEATED:
        return METRIC_EVENTS_REPEATED;
    case EVENT_CLOSED:
    case EVENT_TOO_LARGE:
    case EVENT_TOO_MANY:
        return METRIC_EVENTS_DENIED;
    case EVENT_BUSY:
        return METRIC_EVENTS_FULL;
    case EVENT_FAILED:
        break;
    }
    return METRIC_EVENTS_FAILED;
}

static void release_image(struct event *event)
{
    if (event->image != NULL) {
        memory_release(&event->chat->readings_budget, event->image,
                       stream_image_bytes(event->image->lanes_max));
        event->image = NULL;
    }
}

static void event_answer(struct chat *chat, struct event *event, enum event_result result)
{
    release_image(event);
    if (event->message != NULL) {
        message_unref(event->message);
        event->message = NULL;
    }
    event->result = result;
    event->at = NULL;
    event->stream = NULL;
    metric_add(chat->shard->metrics, result_metric(event), 1);
    event->op.letter.receive = event->op.on_home;
    mailer_post(&chat->shard->mailer, event->op.home, &event->op.letter);
}

static void event_break(struct chat *chat, struct event *event, const char *step, enum err why)
{
    struct store_fault fault;
    store_last_fault(chat->store, &fault);
    LOG_ERROR("event_failed", F_STR("step", step), F_ERR(why), F_STR("why", fault.text));
    event_answer(chat, event, EVENT_FAILED);
}

static void event_fail(struct chat *chat, struct op *op, enum err why)
{
    event_break(chat, CONTAINER_OF(op, struct event, op), "load_channel", why);
}

/* What is known of the lane, for the answer. */
static void tell_lane(struct event *event, const struct stream *stream, const struct lane *lane)
{
    event->seq = lane->seq;
    event->status = lane->status;
    event->is_over = true;
    for (const struct lane *each = stream->lanes; each != NULL; each = each->next) {
        event->is_over &= lane_status_is_final(each->status);
    }
}

/* ---- The stream, as far as it was written. ---- */

static void read_blocking(struct reading *reading)
{
    struct event *event = CONTAINER_OF(reading, struct event, reading);
    const struct stream_ref ref = {.channel = event->ref, .client_msg_no = event->client_msg_no};
    event->read_result = stream_image_read(event->image, event->chat->store, &ref);
}

static void read_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct event *event = CONTAINER_OF(reading, struct event, reading);
    event->is_reading = false;
    event->is_read = true;
    event->at->readings--;
    channel_advance(chat, event->at);
}

/* Fills an image with room for `lanes_max` lanes, or has it filled by a reader: ERR_AGAIN. */
static enum err read_image(struct chat *chat, struct channel *channel, struct event *event,
                           uint32_t lanes_max)
{
    release_image(event);
    event->image =
        memory_acquire(&chat->readings_budget, MEMORY_RANK_DELIVER, stream_image_bytes(lanes_max));
    if (event->image == NULL) {
        return ERR_BUDGET;
    }
    *event->image = (struct stream_image){.lanes_max = lanes_max};
    if (channel->ref.number == 0) {
        return ERR_OK; /* a channel that is not stored has no streams */
    }
    event->ref = channel->ref;
    event->reading = (struct reading){
        .letter = {.receive = read_arrives}, .run = read_blocking, .home = &chat->shard->mailbox};
    event->is_reading = true;
    event->at = channel;
    channel->readings++;
    readers_ask(chat->readers, &event->reading);
    return ERR_AGAIN;
}

/* Nearly all streams have few lanes; for the others the image is made again. */
static enum err find_image(struct chat *chat, struct channel *channel, struct event *event)
{
    if (!event->is_read) {
        return read_image(chat, channel, event, STREAM_IMAGE_LANES);
    }
    event->is_read = false;
    if (event->read_result == ERR_OK && event->image->is_short) {
        return read_image(chat, channel, event, STREAM_LANES_MAX);
    }
    return event->read_result;
}

static enum err find_stream(struct chat *chat, struct channel *channel, struct event *event,
                            struct stream **out_stream)
{
    *out_stream = streams_find(chat, channel, event->client_msg_no);
    if (*out_stream != NULL) {
        return ERR_OK;
    }
    const enum err err = find_image(chat, channel, event);
    if (err != ERR_OK) {
        return err;
    }
    *out_stream = streams_add(chat, channel, event->client_msg_no, event->image);
    release_image(event);
    return *out_stream != NULL ? ERR_OK : ERR_BUDGET;
}

/* ---- Doing it. ---- */

static size_t told_bytes(const struct event *event)
{
    return event->channel.id.size + event->id.size + event->type.size + event->data_bytes_max;
}

static struct bytes copy_in(struct writer *writer, struct bytes bytes)
{
    const uint8_t *at = writer->at;
    writer_bytes_add(writer, bytes);
    return (struct bytes){.data = at, .size = bytes.size};
}

/* What clients get; its data is written when the number is known. */
static enum err make_message(struct chat *chat, struct channel *channel, struct event *event)
{
    const size_t size = told_bytes(event);
    struct message *message =
        message_acquire(&chat->messages_budget, chat->shard->shards_count, size);
    if (message == NULL) {
        return ERR_BUDGET;
    }
    message->channel = channel;
    message->home = (uint16_t)chat->shard->index;
    message->is_event = true;
    message->view.flags = MESSAGE_NO_PERSIST;
    event->message = message;
    return ERR_OK;
}

static void fill_message(struct event *event)
{
    struct message *message = event->message;
    struct session_event *told = &message->event;
    struct writer writer = writer_of(message_row(message), told_bytes(event));
    message->log = (struct log_ref){.channel = message->channel->ref, .kind = LOG_CHAT};
    message->view.channel_type = event->channel.type;
    message->view.channel_id = copy_in(&writer, event->channel.id);
    told->id = copy_in(&writer, event->id);
    told->type = copy_in(&writer, event->type);
    const uint8_t *data = writer.at;
    event->render(event, &writer);
    ASSERT(!writer.is_full);
    told->data = (struct bytes){.data = data, .size = (size_t)(writer.at - data)};
    told->timestamp_ms = event->timestamp_ms;
    told->is_passing = event->kind == EVENT_DELTA;
}

static void event_committed(struct chat *chat, struct waiter *waiter, enum err result)
{
    struct event *event = CONTAINER_OF(waiter, struct event, waiter);
    struct channel *channel = event->at;
    struct message *message = event->message;
    channel->in_flight--;
    stream_landed(chat, event->stream);
    if (result == ERR_OK) {
        event->message = NULL;
        event_answer(chat, event, EVENT_DONE);
        delivery_begin(chat, channel, message);
    } else {
        event_answer(chat, event, EVENT_FAILED);
    }
    channel_advance(chat, channel);
}

/* Nothing of it is stored, but what was before it must be told before it. */
static enum err tell_only(struct chat *chat, struct channel *channel, struct event *event,
                          const struct stream *stream, const struct lane *lane)
{
    if (stream->in_flight > 0) {
        return ERR_AGAIN;
    }
    if (make_message(chat, channel, event) != ERR_OK) {
        event_answer(chat, event, EVENT_BUSY);
        return ERR_OK;
    }
    tell_lane(event, stream, lane);
    fill_message(event);
    struct message *message = event->message;
    event->message = NULL;
    event_answer(chat, event, EVENT_DONE);
    delivery_begin(chat, channel, message);
    return ERR_OK;
}

/* Room for everything that follows, or nothing is done. */
static enum err reserve(struct chat *chat, struct channel *channel, struct event *event,
                        struct stream *stream, struct lane **lane)
{
    struct lane *added = NULL;
    if (*lane == NULL) {
        added = stream_add_lane(chat, stream, event->key);
        *lane = added;
    }
    if (*lane == NULL) {
        return ERR_BUDGET;
    }
    const bool wants_tail = event->content.form == LANE_TEXT && event->content.bytes.size > 0 &&
                            (event->kind == EVENT_DELTA || event->kind == EVENT_SNAPSHOT);
    const size_t size =
        channel_reserve_bytes(channel) + event_records_bytes(event, *lane) + CHAT_ID_RESERVE;
    if ((!wants_tail || lane_open_tail(chat, *lane) == ERR_OK) &&
        make_message(chat, channel, event) == ERR_OK && chat_reserve(chat, size) == ERR_OK) {
        return ERR_OK;
    }
    if (added != NULL) {
        stream_drop_lane(chat, stream, added);
    }
    return ERR_BUDGET;
}

/* By now nothing can fail. */
static void event_journal(struct chat *chat, struct channel *channel, struct event *event,
                          struct lane *lane, const struct event_plan *plan)
{
    struct stream *stream = event->stream;
    if (channel->ref.number == 0) {
        channel_establish(chat, channel);
    }
    event->ref = channel->ref;
    event_records_add(chat, event, stream, lane, plan);
    tell_lane(event, stream, lane);
    fill_message(event);
    event->at = channel;
    event->waiter.committed = event_committed;
    chat_wait(chat, &event->waiter);
    channel->in_flight++;
    stream->in_flight++;
}

static enum err event_do(struct chat *chat, struct channel *channel, struct event *event,
                         struct stream *stream)
{
    struct lane *lane = stream_find_lane(stream, event->key);
    const struct event_plan plan = event_plan(
        event, lane, stream->lanes_count, stream->content_bytes, chat->settings->stream_bytes_max);
    if (plan.result != EVENT_DONE) {
        if (stream->in_flight > 0) {
            return ERR_AGAIN; /* what it is answered by must be durable */
        }
        if (lane != NULL) {
            tell_lane(event, stream, lane);
        }
        event_answer(chat, event, plan.result);
        return ERR_OK;
    }
    if (!plan.has_lane_record && plan.change == CONTENT_STAYS) {
        return tell_only(chat, channel, event, stream, lane);
    }
    if (reserve(chat, channel, event, stream, &lane) != ERR_OK) {
        event_answer(chat, event, EVENT_BUSY);
        return ERR_OK;
    }
    event->stream = stream;
    event_journal(chat, channel, event, lane, &plan);
    return ERR_OK;
}

static enum err event_run(struct chat *chat, struct channel *channel, struct op *op)
{
    struct event *event = CONTAINER_OF(op, struct event, op);
    if (event->is_reading) {
        return ERR_AGAIN; /* something else of the channel has come, not what this waits for */
    }
    event->chat = chat;
    struct stream *stream = NULL;
    const enum err err = find_stream(chat, channel, event, &stream);
    if (err == ERR_AGAIN) {
        return err;
    }
    if (err == ERR_BUDGET) {
        event_answer(chat, event, EVENT_BUSY);
        return ERR_OK;
    }
    if (err != ERR_OK) {
        event_break(chat, event, "read_stream", err);
        return ERR_OK;
    }
    if (stream->is_stale) {
        return ERR_AGAIN; /* the last of what is in flight takes it away */
    }
    return event_do(chat, channel, event, stream);
}

/* ---- Asking. ---- */

static void event_begins(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct event *event = CONTAINER_OF(CONTAINER_OF(letter, struct op, letter), struct event, op);
    event->chat = chat;
    struct channel *channel = channels_get(chat, event->channel);
    if (channel == NULL) {
        event_answer(chat, event, EVENT_BUSY);
        return;
    }
    event->op.run = event_run;
    event->op.fail = event_fail;
    channel_enqueue(chat, channel, &event->op);
}

static void event_arrives(struct letter *letter, void *receiver)
{
    shard_take_in(receiver, INTAKE_OTHER, letter, event_begins);
}

void event_post(struct event *event, struct mailer *mailer, struct shard *const *shards,
                uint32_t shards_count)
{
    ASSERT(event->op.home != NULL);
    ASSERT(event->render != NULL);
    const uint16_t slot = slot_of_channel(event->channel);
    struct shard *owner = shards[routing_shard_of_slot(slot, shards_count)];
    event->op.letter.receive = event_arrives;
    mailer_post(mailer, &owner->mailbox, &event->op.letter);
}
