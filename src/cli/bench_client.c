#include "cli/bench_client.h"

#include "base/assert.h"
#include "cli/bench_engine.h"
#include "system/clock.h"
#include "system/socket.h"

static const char *const end_names[BENCH_ENDS_COUNT] = {
    [BENCH_END_CLOSED] = "closed",        [BENCH_END_KICKED] = "kicked",
    [BENCH_END_REFUSED] = "refused",      [BENCH_END_PROTOCOL] = "protocol",
    [BENCH_END_MEMORY] = "out of memory",
};

const char *bench_end_name(enum bench_end end)
{
    return end_names[end];
}

void bench_client_close(struct bench_engine *engine, struct bench_client *client)
{
    if (client->state == BENCH_CLIENT_FREE) {
        return;
    }
    if (client->state == BENCH_CLIENT_ONLINE) {
        engine->online_count--;
    } else {
        engine->connecting_count--;
    }
    socket_close(client->fd); /* leaves the loop by itself */
    client->fd = -1;
    client->state = BENCH_CLIENT_FREE;
    client->generation++;
    if (list_is_linked(&client->dirty)) {
        list_remove(&client->dirty);
    }
    bench_buffer_release(&client->in, &engine->budget);
    bench_buffer_release(&client->out, &engine->budget);
    bench_seal_release(&client->seal, &engine->budget);
}

/* It ended, and not because we wanted it. */
static void end(struct bench_engine *engine, struct bench_client *client, enum bench_end why)
{
    bench_client_close(engine, client);
    engine->ends[why]++;
    if (engine->handler->on_end != NULL) {
        engine->handler->on_end(engine, client, why);
    }
}

enum err bench_client_open(struct bench_engine *engine, struct bench_client *client)
{
    ASSERT(client->state == BENCH_CLIENT_FREE);
    int fd = -1;
    enum err err = socket_connect(&engine->options->tcp_address, &fd);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t cookie = (uint64_t)client->generation << 32 | client->index;
    err = loop_watch_socket(&engine->loop, fd, cookie);
    if (err != ERR_OK) {
        socket_close(fd);
        return err;
    }
    client->fd = fd;
    client->state = BENCH_CLIENT_CONNECTING;
    client->began_ns = clock_now_ns();
    engine->connecting_count++;
    return ERR_OK;
}

static enum err queue(struct bench_engine *engine, struct bench_client *client,
                      const struct packet *packet)
{
    const size_t size = packet_encoded_size(packet, client->version);
    uint8_t *room = bench_buffer_room(&client->out, &engine->budget, size);
    if (room == NULL) {
        return ERR_BUDGET;
    }
    struct writer writer = writer_of(room, size);
    const enum err err = packet_encode(packet, client->version, &writer);
    if (err != ERR_OK) {
        return err;
    }
    bench_buffer_add(&client->out, writer_size(&writer));
    bench_engine_mark_dirty(engine, client);
    return ERR_OK;
}

/* ---- Login. ---- */

static void begin_login(struct bench_engine *engine, struct bench_client *client)
{
    uint8_t client_key[BENCH_KEY_CHARS];
    if (socket_connected(client->fd) != ERR_OK) {
        end(engine, client, BENCH_END_CLOSED);
        return;
    }
    const struct packet packet = {
        .type = PACKET_CONNECT,
        .connect =
            {
                .version = (uint8_t)engine->options->protocol,
                .device_flag = PACKET_DEVICE_APP,
                .device_id = bytes_of_string(client->uid),
                .uid = bytes_of_string(client->uid),
                .client_timestamp_ms = (int64_t)clock_wall_ms(),
                .client_key = {.data = client_key, .size = sizeof(client_key)},
            },
    };
    client->version = packet.connect.version;
    client->state = BENCH_CLIENT_LOGGING_IN;
    if (bench_seal_begin(&client->seal, client_key) != ERR_OK ||
        queue(engine, client, &packet) != ERR_OK) {
        end(engine, client, BENCH_END_MEMORY);
    }
}

static void on_connack(struct bench_engine *engine, struct bench_client *client,
                       const struct packet *packet)
{
    const struct packet_connack *connack = &packet->connack;
    if (connack->reason != PACKET_REASON_SUCCESS) {
        engine->refused_reason = connack->reason;
        end(engine, client, BENCH_END_REFUSED);
        return;
    }
    if ((packet->flags & PACKET_FLAG_HAS_SERVER_VERSION) != 0) {
        client->version = connack->server_version;
    }
    client->is_encrypted = connack->server_key.size > 0;
    if (client->version > PACKET_VERSION_MAX ||
        (client->is_encrypted &&
         bench_seal_agree(&client->seal, connack->server_key, connack->salt) != ERR_OK)) {
        end(engine, client, BENCH_END_PROTOCOL);
        return;
    }
    client->state = BENCH_CLIENT_ONLINE;
    engine->connecting_count--;
    engine->online_count++;
    engine->logins_count++;
    histogram_add(&engine->logins, engine->now_ns - client->began_ns);
    if (engine->handler->on_online != NULL) {
        engine->handler->on_online(engine, client);
    }
}

/* ---- Sending. ---- */

bool bench_client_can_send(const struct bench_client *client)
{
    return client->state == BENCH_CLIENT_ONLINE &&
           bench_buffer_bytes(&client->out).size < BENCH_OUT_BYTES_MAX;
}

static enum err set_front(struct bench_engine *engine, struct bench_client *client)
{
    const size_t size = engine->options->payload_bytes;
    bench_payload_front(engine->filler, client->index, size, engine->scratch);
    const struct bytes front = {.data = engine->scratch, .size = size - BENCH_TAIL_BYTES};
    return bench_seal_set_front(&client->seal, &engine->budget, front);
}

static enum err seal(struct bench_engine *engine, struct bench_client *client,
                     const struct bench_send *send, struct packet_send *packet,
                     uint8_t msg_key[BENCH_MSG_KEY_CHARS])
{
    if (!client->is_encrypted) {
        const size_t size = engine->options->payload_bytes;
        bench_payload_front(engine->filler, client->index, size, engine->scratch);
        memcpy(engine->scratch + size - BENCH_TAIL_BYTES, send->tail.data, BENCH_TAIL_BYTES);
        packet->payload = (struct bytes){.data = engine->scratch, .size = size};
        return ERR_OK;
    }
    if (!bench_seal_has_front(&client->seal)) {
        const enum err err = set_front(engine, client);
        if (err != ERR_OK) {
            return err;
        }
    }
    const struct bench_seal_send sealed = {
        .client_seq = packet->client_seq,
        .channel_type = send->channel_type,
        .client_msg_no = send->client_msg_no,
        .channel_id = send->channel_id,
        .tail = send->tail,
    };
    packet->payload = bench_seal_send(&client->seal, &sealed, engine->scratch, msg_key);
    packet->msg_key = (struct bytes){.data = msg_key, .size = BENCH_MSG_KEY_CHARS};
    return ERR_OK;
}

enum err bench_client_send(struct bench_engine *engine, struct bench_client *client,
                           const struct bench_send *send)
{
    ASSERT(client->state == BENCH_CLIENT_ONLINE);
    uint8_t msg_key[BENCH_MSG_KEY_CHARS];
    struct packet packet = {
        .type = PACKET_SEND,
        .flags = PACKET_FLAG_RED_DOT,
        .send =
            {
                .client_seq = ++client->client_seq_last,
                .client_msg_no = send->client_msg_no,
                .channel_id = send->channel_id,
                .channel_type = send->channel_type,
            },
    };
    const enum err err = seal(engine, client, send, &packet.send, msg_key);
    return err == ERR_OK ? queue(engine, client, &packet) : err;
}

enum err bench_client_ping(struct bench_engine *engine, struct bench_client *client)
{
    const struct packet packet = {.type = PACKET_PING};
    return queue(engine, client, &packet);
}

void bench_client_flush(struct bench_engine *engine, struct bench_client *client)
{
    const struct bytes bytes = bench_buffer_bytes(&client->out);
    if (bytes.size == 0 || client->state == BENCH_CLIENT_CONNECTING) {
        return;
    }
    size_t written = 0;
    switch (socket_write(client->fd, &bytes, 1, &written)) {
    case ERR_OK:
        bench_buffer_consume(&client->out, written);
        return;
    case ERR_AGAIN: /* the socket tells when it can take more */
        return;
    case ERR_FULL:
    case ERR_BUDGET:
    case ERR_LIMIT:
    case ERR_PROTOCOL:
    case ERR_DENIED:
    case ERR_ABSENT:
    case ERR_CLOSED:
    case ERR_CORRUPT:
    case ERR_IO:
        end(engine, client, BENCH_END_CLOSED);
        return;
    }
}

/* ---- Receiving. ---- */

static void on_recv(struct bench_engine *engine, struct bench_client *client,
                    const struct packet *packet)
{
    const uint64_t lie = client->vice == BENCH_VICE_WRONG_ACK ? 1u << 20 : 0;
    const struct packet recvack = {
        .type = PACKET_RECVACK,
        .flags =
            packet->flags & (PACKET_FLAG_NO_PERSIST | PACKET_FLAG_RED_DOT | PACKET_FLAG_SYNC_ONCE),
        .recvack =
            {
                .message_id = packet->recv.message_id + lie,
                .message_seq = packet->recv.message_seq + lie,
            },
    };
    if (client->vice != BENCH_VICE_MUTE && queue(engine, client, &recvack) != ERR_OK) {
        end(engine, client, BENCH_END_MEMORY);
        return;
    }
    if (engine->handler->on_recv != NULL) {
        engine->handler->on_recv(engine, client, &packet->recv);
    }
}

static void on_packet(struct bench_engine *engine, struct bench_client *client,
                      const struct packet *packet)
{
    const bool is_online = client->state == BENCH_CLIENT_ONLINE;
    switch (packet->type) {
    case PACKET_CONNACK:
        if (!is_online) {
            on_connack(engine, client, packet);
        }
        return;
    case PACKET_SENDACK:
        if (is_online && engine->handler->on_sendack != NULL) {
            engine->handler->on_sendack(engine, client, &packet->sendack);
        }
        return;
    case PACKET_RECV:
        if (is_online) {
            on_recv(engine, client, packet);
        }
        return;
    case PACKET_PONG:
        engine->pongs_count++;
        return;
    case PACKET_DISCONNECT:
        end(engine, client, BENCH_END_KICKED);
        return;
    case PACKET_SUBACK:
    case PACKET_EVENT:
        return;
    case PACKET_INVALID:
    case PACKET_CONNECT:
    case PACKET_SEND:
    case PACKET_RECVACK:
    case PACKET_PING:
    case PACKET_SUB:
        end(engine, client, BENCH_END_PROTOCOL); /* a server never says that */
        return;
    }
}

/* Handles the frames in `bytes` and returns what is left, the beginning of the next one. Nothing is
 * left once the connection has ended. */
static struct bytes take_frames(struct bench_engine *engine, struct bench_client *client,
                                struct bytes bytes)
{
    const uint32_t generation = client->generation;
    while (bytes.size > 0 && client->generation == generation) {
        size_t size = 0;
        struct packet packet;
        enum err err = packet_size(bytes, &size);
        if (err == ERR_OK && size > BENCH_FRAME_BYTES_MAX) {
            err = ERR_LIMIT;
        }
        if (err == ERR_AGAIN || (err == ERR_OK && size > bytes.size)) {
            return bytes;
        }
        if (err == ERR_OK) {
            const struct bytes frame = {.data = bytes.data, .size = size};
            err = packet_decode(frame, client->version, &packet);
        }
        if (err != ERR_OK) {
            end(engine, client, BENCH_END_PROTOCOL);
            return BYTES_EMPTY;
        }
        on_packet(engine, client, &packet);
        bytes = bytes_skip(bytes, size);
    }
    return BYTES_EMPTY;
}

static enum err keep_rest(struct bench_engine *engine, struct bench_client *client,
                          struct bytes rest)
{
    if (rest.size == 0) {
        return ERR_OK;
    }
    uint8_t *room = bench_buffer_room(&client->in, &engine->budget, rest.size);
    if (room == NULL) {
        return ERR_BUDGET;
    }
    memcpy(room, rest.data, rest.size);
    bench_buffer_add(&client->in, rest.size);
    return ERR_OK;
}

/* Reads up to `size_max` bytes and handles them. Returns how many came; 0: nothing is there, or the
 * connection has ended. */
static size_t read_some(struct bench_engine *engine, struct bench_client *client, size_t size_max)
{
    const uint32_t generation = client->generation;
    const struct bytes before = bench_buffer_bytes(&client->in);
    if (before.size > 0) {
        memcpy(engine->read_area, before.data, before.size);
    }
    size_t size = 0;
    const enum err err = socket_read(client->fd, engine->read_area + before.size, size_max, &size);
    if (err != ERR_OK) {
        if (err != ERR_AGAIN) {
            end(engine, client, BENCH_END_CLOSED);
        }
        return 0;
    }
    engine->now_ns = clock_now_ns();
    bench_buffer_consume(&client->in, before.size);
    const struct bytes all = {.data = engine->read_area, .size = before.size + size};
    const struct bytes rest = take_frames(engine, client, all);
    if (client->generation != generation) {
        return 0;
    }
    if (keep_rest(engine, client, rest) != ERR_OK) {
        end(engine, client, BENCH_END_MEMORY);
        return 0;
    }
    return size;
}

/* Reads until the kernel says "again": there will be no second event for what is there now. A read
 * that did not fill the area emptied the socket, unless the end stands behind it. */
static void read_all(struct bench_engine *engine, struct bench_client *client, bool is_hung_up)
{
    size_t size = BENCH_READ_BYTES;
    while (size == BENCH_READ_BYTES || (size > 0 && is_hung_up)) {
        size = read_some(engine, client, BENCH_READ_BYTES);
    }
}

void bench_client_read(struct bench_engine *engine, struct bench_client *client, size_t size)
{
    ASSERT(client->state == BENCH_CLIENT_ONLINE);
    (void)read_some(engine, client, size < BENCH_READ_BYTES ? size : BENCH_READ_BYTES);
}

/* What does a vice keep it from? A connection that broke is noticed all the same. */
static bool is_reading(const struct bench_client *client, const struct loop_event *event)
{
    const bool is_deaf = client->vice == BENCH_VICE_DEAF || client->vice == BENCH_VICE_SLOW;
    return client->state != BENCH_CLIENT_CONNECTING &&
           (!is_deaf || client->state != BENCH_CLIENT_ONLINE || event->is_broken);
}

void bench_client_on_event(struct bench_engine *engine, struct bench_client *client,
                           const struct loop_event *event)
{
    const uint32_t generation = client->generation;
    if (client->state == BENCH_CLIENT_CONNECTING && event->is_writable) {
        begin_login(engine, client);
    } else if (event->is_writable) {
        bench_client_flush(engine, client);
    }
    if (event->is_readable && client->generation == generation && is_reading(client, event)) {
        read_all(engine, client, event->is_hung_up);
    }
}
