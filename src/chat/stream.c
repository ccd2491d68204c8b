#include "chat/stream.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"
#include "store/streams.h"

#define BUCKETS_COUNT   4096u /* a power of two: 32 KiB a shard */
#define IDLE_LOOK_MS    60000u
#define FORGOTTEN_MAX   64u /* streams forgotten for one that is made */
#define HASH_MULTIPLIER 0x9e3779b97f4a7c15ULL

static size_t stream_bytes(const struct stream *stream)
{
    return sizeof(*stream) + stream->name_size;
}

static struct stream **bucket_of(const struct streams *streams, uint64_t hash)
{
    return &streams->buckets[hash & (BUCKETS_COUNT - 1)];
}

static uint64_t stream_hash(const struct chat *chat, const struct channel *channel,
                            struct bytes client_msg_no)
{
    return chat_hash(chat, client_msg_no) ^ (channel->hash * HASH_MULTIPLIER);
}

void streams_init(struct streams *streams, struct budget *budget)
{
    *streams = (struct streams){.budget = budget};
    list_init(&streams->recency);
}

static bool has_buckets(struct streams *streams)
{
    if (streams->buckets == NULL) {
        streams->buckets = memory_acquire_zeroed(streams->budget, MEMORY_RANK_CACHE,
                                                 BUCKETS_COUNT * sizeof(struct stream *));
    }
    return streams->buckets != NULL;
}

static void lane_release(struct chat *chat, struct lane *lane)
{
    lane_close_tail(chat, lane);
    memory_release(chat->streams.budget, lane, sizeof(*lane));
}

static void stream_release(struct chat *chat, struct stream *stream)
{
    ASSERT(stream->in_flight == 0);
    struct streams *streams = &chat->streams;
    struct stream **place = bucket_of(streams, stream->hash);
    while (*place != stream) {
        place = &(*place)->next_in_bucket;
    }
    *place = stream->next_in_bucket;
    list_remove(&stream->recency);
    while (stream->lanes != NULL) {
        struct lane *lane = stream->lanes;
        stream->lanes = lane->next;
        lane_release(chat, lane);
    }
    memory_release(streams->budget, stream, stream_bytes(stream));
    streams->count--;
    metric_set(chat->shard->metrics, METRIC_STREAMS_HELD, streams->count);
}

void streams_deinit(struct chat *chat)
{
    struct streams *streams = &chat->streams;
    timers_cancel(&chat->shard->timers, &streams->idle);
    while (!list_is_empty(&streams->recency)) {
        stream_release(chat, CONTAINER_OF(streams->recency.next, struct stream, recency));
    }
    memory_release(streams->budget, streams->buckets, BUCKETS_COUNT * sizeof(struct stream *));
    streams->buckets = NULL;
}

/* Forgets streams without use since `before_ms`, the oldest first, `count_max` at most. */
static uint32_t forget_idle(struct chat *chat, uint64_t before_ms, uint32_t count_max)
{
    struct streams *streams = &chat->streams;
    uint32_t count = 0;
    struct list *item = streams->recency.prev;
    while (item != &streams->recency && count < count_max) {
        struct stream *stream = CONTAINER_OF(item, struct stream, recency);
        item = item->prev;
        if (stream->used_ms > before_ms) {
            break;
        }
        if (stream->in_flight == 0) {
            stream_release(chat, stream);
            count++;
        }
    }
    return count;
}

static void streams_look(struct timer *timer, void *context)
{
    struct chat *chat = chat_of(context);
    const uint64_t now_ms = chat->shard->now_ms;
    (void)forget_idle(chat, now_ms > STREAM_IDLE_MS ? now_ms - STREAM_IDLE_MS : 0, UINT32_MAX);
    if (chat->streams.count > 0) {
        timers_set(&chat->shard->timers, timer, now_ms + IDLE_LOOK_MS, streams_look);
    }
}

static void *take_room(struct chat *chat, size_t size)
{
    void *room = memory_acquire_zeroed(chat->streams.budget, MEMORY_RANK_CACHE, size);
    const uint64_t now_ms = chat->shard->now_ms;
    if (room == NULL && now_ms > STREAM_SPARED_MS &&
        forget_idle(chat, now_ms - STREAM_SPARED_MS, FORGOTTEN_MAX) > 0) {
        metric_add(chat->shard->metrics, METRIC_STREAMS_FORGOTTEN, 1);
        room = memory_acquire_zeroed(chat->streams.budget, MEMORY_RANK_CACHE, size);
    }
    return room;
}

struct stream *streams_find(struct chat *chat, const struct channel *channel,
                            struct bytes client_msg_no)
{
    struct streams *streams = &chat->streams;
    const uint64_t hash = stream_hash(chat, channel, client_msg_no);
    struct stream *stream = streams->buckets != NULL ? *bucket_of(streams, hash) : NULL;
    while (stream != NULL) {
        const struct bytes name = {.data = stream->name, .size = stream->name_size};
        if (stream->hash == hash && stream->channel_hash == channel->hash &&
            bytes_equal(name, client_msg_no)) {
            stream->used_ms = chat->shard->now_ms;
            list_remove(&stream->recency);
            list_push_front(&streams->recency, &stream->recency);
            return stream;
        }
        stream = stream->next_in_bucket;
    }
    return NULL;
}

static enum err take_image(struct chat *chat, struct stream *stream,
                           const struct stream_image *image)
{
    for (uint32_t i = 0; i < image->lanes_count; i++) {
        const struct lane *found = &image->lanes[i];
        struct lane *lane = stream_add_lane(chat, stream, lane_key(found));
        if (lane == NULL) {
            return ERR_BUDGET;
        }
        struct lane *next = lane->next;
        *lane = *found;
        lane->next = next;
        stream->content_bytes += lane->content_size;
        stream->seq = lane->seq > stream->seq ? lane->seq : stream->seq;
    }
    return ERR_OK;
}

struct stream *streams_add(struct chat *chat, const struct channel *channel,
                           struct bytes client_msg_no, const struct stream_image *image)
{
    struct streams *streams = &chat->streams;
    ASSERT(client_msg_no.size <= STREAM_MSG_NO_BYTES_MAX);
    if (!has_buckets(streams)) {
        return NULL;
    }
    struct stream *stream = take_room(chat, sizeof(*stream) + client_msg_no.size);
    if (stream == NULL) {
        return NULL;
    }
    stream->channel_hash = channel->hash;
    stream->hash = stream_hash(chat, channel, client_msg_no);
    stream->used_ms = chat->shard->now_ms;
    stream->name_size = (uint16_t)client_msg_no.size;
    memcpy(stream->name, client_msg_no.data, client_msg_no.size);
    struct stream **bucket = bucket_of(streams, stream->hash);
    stream->next_in_bucket = *bucket;
    *bucket = stream;
    list_push_front(&streams->recency, &stream->recency);
    streams->count++;
    metric_set(chat->shard->metrics, METRIC_STREAMS_HELD, streams->count);
    if (!timer_is_set(&streams->idle)) {
        timers_set(&chat->shard->timers, &streams->idle, chat->shard->now_ms + IDLE_LOOK_MS,
                   streams_look);
    }
    if (take_image(chat, stream, image) != ERR_OK) {
        stream_release(chat, stream);
        return NULL;
    }
    return stream;
}

/* ---- Reading one. ---- */

static bool image_lane(void *context, struct bytes key, const struct lane_row *row)
{
    struct stream_image *image = context;
    if (image->lanes_count == image->lanes_max) {
        image->is_short = true;
        return false;
    }
    struct lane *lane = &image->lanes[image->lanes_count++];
    *lane = (struct lane){
        .seq = row->seq,
        .occurred_ms = row->occurred_ms,
        .number = row->number,
        .status = row->status,
        .form = row->form,
        .is_given = row->is_given,
        .key_size = (uint8_t)key.size,
        .id_size = (uint8_t)row->event_id.size,
        .type_size = (uint8_t)row->event_type.size,
        .visibility_size = (uint8_t)row->visibility.size,
    };
    memcpy(lane->key, key.data, key.size);
    memcpy(lane->id, row->event_id.data, row->event_id.size);
    memcpy(lane->type, row->event_type.data, row->event_type.size);
    memcpy(lane->visibility, row->visibility.data, row->visibility.size);
    return true;
}

static bool image_piece(void *context, const struct lane_piece *piece)
{
    struct stream_image *image = context;
    for (uint32_t i = 0; i < image->lanes_count; i++) {
        struct lane *lane = &image->lanes[i];
        if (lane->number == piece->lane) {
            lane->content_size += (uint32_t)piece->bytes.size;
            lane->pieces_count = piece->index + 1;
        }
    }
    return true;
}

enum err stream_image_read(struct stream_image *image, struct store *store,
                           const struct stream_ref *ref)
{
    image->lanes_count = 0;
    image->is_short = false;
    const struct stream_visit visit = {.lane = image_lane, .piece = image_piece, .context = image};
    return store_read_stream(store, ref, &visit);
}

/* ---- Its lanes. ---- */

struct lane *stream_find_lane(const struct stream *stream, struct bytes key)
{
    struct lane *lane = stream->lanes;
    while (lane != NULL && !bytes_equal(lane_key(lane), key)) {
        lane = lane->next;
    }
    return lane;
}

struct lane *stream_add_lane(struct chat *chat, struct stream *stream, struct bytes key)
{
    ASSERT(stream->lanes_count < STREAM_LANES_MAX);
    ASSERT(key.size <= STREAM_NAME_BYTES_MAX);
    stream->in_flight++; /* not to be forgotten for its own lane */
    struct lane *lane = take_room(chat, sizeof(*lane));
    stream->in_flight--;
    if (lane == NULL) {
        return NULL;
    }
    lane->number = (uint16_t)stream->lanes_count++;
    lane->key_size = (uint8_t)key.size;
    memcpy(lane->key, key.data, key.size);
    lane->next = stream->lanes;
    stream->lanes = lane;
    return lane;
}

void stream_drop_lane(struct chat *chat, struct stream *stream, struct lane *lane)
{
    ASSERT(stream->lanes == lane);
    stream->lanes = lane->next;
    stream->lanes_count--;
    lane_release(chat, lane);
}

enum err lane_open_tail(struct chat *chat, struct lane *lane)
{
    if (lane->tail == NULL) {
        lane->tail = memory_acquire(chat->streams.budget, MEMORY_RANK_CACHE, STREAM_TAIL_BYTES);
        lane->tail_size = 0;
    }
    return lane->tail != NULL ? ERR_OK : ERR_BUDGET;
}

void lane_close_tail(struct chat *chat, struct lane *lane)
{
    memory_release(chat->streams.budget, lane->tail, STREAM_TAIL_BYTES);
    lane->tail = NULL;
    lane->tail_size = 0;
}

/* ---- What is in flight. ---- */

void stream_landed(struct chat *chat, struct stream *stream)
{
    ASSERT(stream->in_flight > 0);
    stream->in_flight--;
    if (stream->in_flight == 0 && stream->is_stale) {
        stream_release(chat, stream);
    }
}

void streams_forget_uncommitted(struct chat *chat)
{
    LIST_FOR_EACH_SAFE (item, following, &chat->streams.recency) {
        struct stream *stream = CONTAINER_OF(item, struct stream, recency);
        stream->is_stale = true;
        if (stream->in_flight == 0) {
            stream_release(chat, stream);
        }
    }
}
