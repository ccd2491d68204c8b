#include "cli/bench_receipt.h"

#include "base/assert.h"

#define BITS_BYTES_MIN 64u

static struct bench_tally *tally_of(struct bench_traffic *traffic, uint64_t intended_ns)
{
    return bench_traffic_is_measured(traffic, intended_ns) ? &traffic->measured : &traffic->warmup;
}

void bench_receipt_count(struct bench_traffic *traffic, uint64_t intended_ns,
                         enum bench_tally_id id)
{
    tally_of(traffic, intended_ns)->counts[id]++;
}

static void count(struct bench_traffic *traffic, const struct bench_message *message,
                  enum bench_tally_id id)
{
    bench_receipt_count(traffic, message->intended_ns, id);
}

/* Something that belongs to no message that we know; it counts as of now. */
static void count_unknown(struct bench_traffic *traffic, enum bench_tally_id id)
{
    bench_receipt_count(traffic, traffic->engine->now_ns, id);
}

static void took(struct bench_traffic *traffic, struct histogram *histogram,
                 const struct bench_message *message)
{
    const uint64_t now_ns = traffic->engine->now_ns;
    if (bench_traffic_is_measured(traffic, message->intended_ns)) {
        histogram_add(histogram, now_ns > message->intended_ns ? now_ns - message->intended_ns : 0);
    }
}

/* The message needs nothing more: its sender may send another one. */
static void close_if_done(struct bench_traffic *traffic, const struct bench_message *message)
{
    if (!message->is_answered || (message->deliveries_left > 0 && !message->is_refused)) {
        return;
    }
    struct bench_sender *sender = &traffic->senders[message->sender];
    sender->open_count--;
    traffic->open_count--;
    if (traffic->engine->options->window > 0 && !list_is_linked(&sender->waiting)) {
        list_push_back(&traffic->waiting, &sender->waiting);
    }
}

/* The server may tell a message's id and number several times, but only ever the same. */
static void compare_names(struct bench_traffic *traffic, struct bench_message *message,
                          uint64_t message_id, uint64_t message_seq)
{
    if (message->message_id == 0) {
        message->message_id = message_id;
        message->message_seq = message_seq;
    } else if (message->message_id != message_id || message->message_seq != message_seq) {
        count(traffic, message, BENCH_TALLY_INCONSISTENT);
    }
}

/* ---- SENDACK. ---- */

const struct bench_message *bench_traffic_on_sendack(struct bench_traffic *traffic,
                                                     const struct bench_client *client,
                                                     const struct packet_sendack *sendack)
{
    const uint32_t sender_index = traffic->members[client->index].sender;
    if (sender_index == BENCH_NONE || sendack->client_seq == 0 ||
        sendack->client_seq > traffic->senders[sender_index].sends.count) {
        count_unknown(traffic, BENCH_TALLY_ACKS_DOUBLED);
        return NULL;
    }
    struct bench_sender *sender = &traffic->senders[sender_index];
    const uint64_t *index = bench_series_at(&sender->sends, sendack->client_seq - 1);
    struct bench_message *message =
        bench_series_at(&traffic->channels[sender->channel].messages, *index);
    if (message->is_answered) {
        count(traffic, message, BENCH_TALLY_ACKS_DOUBLED);
        return NULL;
    }
    message->is_answered = true;
    tally_of(traffic, message->intended_ns)->reasons[sendack->reason]++;
    if (sendack->reason == PACKET_REASON_SUCCESS) {
        count(traffic, message, BENCH_TALLY_ACKED);
        took(traffic, &traffic->acks, message);
        compare_names(traffic, message, sendack->message_id, sendack->message_seq);
        if (sendack->message_seq <= sender->message_seq_highest) {
            count(traffic, message, BENCH_TALLY_ACKS_OUT_OF_ORDER);
        } else {
            sender->message_seq_highest = sendack->message_seq;
        }
    } else {
        message->is_refused = true;
        count(traffic, message, BENCH_TALLY_REFUSED);
        if (message->deliveries_left + 1 < traffic->channels[sender->channel].sessions_count) {
            count(traffic, message, BENCH_TALLY_STRAY); /* somebody has it already */
        }
    }
    close_if_done(traffic, message);
    return message;
}

/* ---- RECV. ---- */

/* The client's inbox for `channel`, or NULL: they are sorted by channel. */
static struct bench_inbox *find_inbox(struct bench_traffic *traffic,
                                      const struct bench_client *client, uint32_t channel)
{
    const struct bench_member *member = &traffic->members[client->index];
    uint32_t begin = member->first_inbox;
    uint32_t end = begin + member->inboxes_count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (traffic->inboxes[middle].channel < channel) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    const bool is_found = begin < member->first_inbox + member->inboxes_count &&
                          traffic->inboxes[begin].channel == channel;
    return is_found ? &traffic->inboxes[begin] : NULL;
}

static bool inbox_has(const struct bench_inbox *inbox, uint64_t index)
{
    return index / 8 < inbox->bits_bytes && (inbox->bits[index / 8] >> (index % 8) & 1) != 0;
}

static enum err inbox_add(struct bench_inbox *inbox, struct budget *budget, uint64_t index)
{
    if (index / 8 >= inbox->bits_bytes) {
        size_t bytes = inbox->bits_bytes == 0 ? BITS_BYTES_MIN : inbox->bits_bytes;
        while (index / 8 >= bytes) {
            bytes *= 2;
        }
        uint8_t *bits = memory_acquire_zeroed(budget, MEMORY_RANK_READ, bytes);
        if (bits == NULL) {
            return ERR_BUDGET;
        }
        if (inbox->bits_bytes > 0) {
            memcpy(bits, inbox->bits, inbox->bits_bytes);
        }
        memory_release(budget, inbox->bits, inbox->bits_bytes);
        inbox->bits = bits;
        inbox->bits_bytes = bytes;
    }
    inbox->bits[index / 8] |= (uint8_t)(1u << (index % 8));
    return ERR_OK;
}

/* With --verify: is it what was sent, from whom, in which channel? */
static void verify(struct bench_traffic *traffic, const struct bench_client *client,
                   const struct packet_recv *recv, const struct bench_message *message,
                   uint64_t index)
{
    struct bench_engine *engine = traffic->engine;
    const struct bench_sender *sender = &traffic->senders[message->sender];
    const struct bench_channel *channel = &traffic->channels[sender->channel];
    const char *from_uid = engine->clients[sender->client].uid;
    const char *channel_id = channel->type == PACKET_CHANNEL_PERSON ? from_uid : channel->id;
    struct bytes plain = recv->payload;
    if (client->is_encrypted) {
        const enum err err = bench_seal_recv(&client->seal, recv, engine->scratch, &plain);
        if (err != ERR_OK) {
            count(traffic, message,
                  err == ERR_DENIED ? BENCH_TALLY_BAD_KEY : BENCH_TALLY_BAD_CONTENT);
            return;
        }
    } else if (recv->msg_key.size > 0) {
        count(traffic, message, BENCH_TALLY_BAD_KEY);
    }
    uint8_t expected[BENCH_PAYLOAD_BYTES_MAX];
    const size_t size = engine->options->payload_bytes;
    bench_payload_front(engine->filler, sender->client, size, expected);
    bench_payload_tail(sender->client, index, message->intended_ns,
                       expected + size - BENCH_TAIL_BYTES);
    if (!bytes_equal(plain, (struct bytes){.data = expected, .size = size}) ||
        !bytes_equal(recv->from_uid, bytes_of_string(from_uid)) ||
        !bytes_equal(recv->channel_id, bytes_of_string(channel_id)) ||
        recv->channel_type != channel->type) {
        count(traffic, message, BENCH_TALLY_BAD_CONTENT);
    }
}

void bench_traffic_on_recv(struct bench_traffic *traffic, const struct bench_client *client,
                           const struct packet_recv *recv)
{
    struct bench_message_id id;
    struct bench_inbox *inbox = NULL;
    if (bench_message_no_read(traffic->engine->run, recv->client_msg_no, &id)) {
        inbox = find_inbox(traffic, client, id.channel);
    }
    if (inbox == NULL || id.index >= traffic->channels[id.channel].messages.count) {
        count_unknown(traffic, BENCH_TALLY_STRAY);
        return;
    }
    struct bench_message *message =
        bench_series_at(&traffic->channels[id.channel].messages, id.index);
    if (traffic->senders[message->sender].client == client->index || message->is_refused) {
        count(traffic, message, BENCH_TALLY_STRAY);
        return;
    }
    if (inbox_has(inbox, id.index)) {
        count(traffic, message, BENCH_TALLY_DOUBLED);
        return;
    }
    if (inbox_add(inbox, &traffic->engine->budget, id.index) != ERR_OK) {
        traffic->failure = ERR_BUDGET;
        return;
    }
    count(traffic, message, BENCH_TALLY_DELIVERED);
    took(traffic, &traffic->deliveries, message);
    traffic->last_delivery_ns = traffic->engine->now_ns;
    compare_names(traffic, message, recv->message_id, recv->message_seq);
    if (recv->message_seq <= inbox->message_seq_highest) {
        count(traffic, message, BENCH_TALLY_OUT_OF_ORDER);
    } else {
        inbox->message_seq_highest = recv->message_seq;
    }
    if (traffic->engine->options->is_verifying) {
        verify(traffic, client, recv, message, id.index);
    }
    ASSERT(message->deliveries_left > 0);
    message->deliveries_left--;
    close_if_done(traffic, message);
}

/* ---- At the end. ---- */

static void count_lost(struct bench_traffic *traffic, const struct bench_inbox *inbox)
{
    const struct bench_series *messages = &traffic->channels[inbox->channel].messages;
    for (uint64_t i = 0; i < messages->count; i++) {
        const struct bench_message *message = bench_series_at(messages, i);
        if (message->is_answered && !message->is_refused && !inbox_has(inbox, i) &&
            traffic->senders[message->sender].client != inbox->client) {
            count(traffic, message, BENCH_TALLY_LOST);
        }
    }
}

static void count_unanswered(struct bench_traffic *traffic, const struct bench_series *messages)
{
    for (uint64_t i = 0; i < messages->count; i++) {
        const struct bench_message *message = bench_series_at(messages, i);
        if (!message->is_answered) {
            count(traffic, message, BENCH_TALLY_UNANSWERED);
        }
    }
}

void bench_traffic_finish(struct bench_traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->inboxes_count; i++) {
        count_lost(traffic, &traffic->inboxes[i]);
    }
    for (uint32_t i = 0; i < traffic->channels_count; i++) {
        count_unanswered(traffic, &traffic->channels[i].messages);
    }
    for (uint32_t i = 0; i < traffic->senders_count; i++) {
        const struct bench_sender *sender = &traffic->senders[i];
        if (sender->due_count > sender->sends.count) {
            traffic->measured.counts[BENCH_TALLY_UNSENT] += sender->due_count - sender->sends.count;
        }
    }
}

uint64_t bench_traffic_total(const struct bench_traffic *traffic, enum bench_tally_id id)
{
    return traffic->warmup.counts[id] + traffic->measured.counts[id];
}
