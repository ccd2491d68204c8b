/* What clients have got: everything that is meant for them, in order, once, as it was sent. */
#include "base/assert.h"
#include "model/payload.h"
#include "model/script.h"
#include "store/message_row.h"

#include "support/test.h"

struct seen *deliveries_seen(struct script *script, const struct connection *connection)
{
    const struct session_id id = connection->session.id;
    return &script->seen[id.shard][id.index];
}

void deliveries_begin(struct script *script, struct connection *connection)
{
    struct seen *seen = deliveries_seen(script, connection);
    memset(seen, 0, sizeof(*seen));
    for (uint32_t i = 0; i < script->model.channels_count; i++) {
        for (uint32_t log = 0; log < LOG_KINDS_COUNT; log++) {
            seen->logs[i][log].seq = script->model.channels[i].logs[log].count;
        }
    }
    seen->habit = (uint8_t)prng_below(&script->prng, 3);
}

/* ---- When it comes. ---- */

static void check_push(const struct script *script, const struct connection *connection,
                       const struct push *push, const struct asked *asked)
{
    const struct message_view *view = push->view;
    const struct model_channel *channel = &script->model.channels[asked->channel];
    char number[TEXT_BYTES_MAX];
    CHECK_EQ(view->payload.size, asked->payload_size);
    CHECK_EQ(view->channel_type, channel->type);
    CHECK_EQ(view->setting, asked->setting);
    CHECK_EQ(view->expire_s, asked->expire_s);
    CHECK_BYTES(view->client_msg_no, text_of_number(number, "number-", asked->client_msg_no));
    /* Semantics 1.10, rules 2 and 3; 1.9, rule 4. */
    CHECK_BYTES(push->channel_id, model_channel_seen(channel, asked->from, connection->uid));
    CHECK_BYTES(push->from_uid, asked->from == UID_SYSTEM ? BYTES_EMPTY : name_of_uid(asked->from));
    uint8_t flags = asked->flags & (MESSAGE_NO_PERSIST | MESSAGE_RED_DOT | MESSAGE_SYNC_ONCE);
    if (asked->from == connection->uid) {
        flags &= (uint8_t)~MESSAGE_RED_DOT;
    }
    CHECK_EQ(push->flags, flags);
}

/* The place in the window of what has not been acknowledged; the first time it is put there. */
static void note_in_window(struct script *script, struct seen *seen,
                           const struct message_view *view, const struct asked *asked)
{
    const uint64_t message_id = view->message_id;
    const uint64_t now_ms = script->world.now_ms;
    for (uint32_t i = 0; i < seen->window_count; i++) {
        struct window_entry *entry = &seen->window[i];
        if (entry->message_id == message_id) { /* a resend: semantics 4.4 */
            CHECK(now_ms - entry->sent_ms >= RETRY_MS);
            CHECK(entry->sends <= RETRY_COUNT_MAX);
            entry->sends++;
            entry->sent_ms = now_ms;
            script->counts.resends++;
            return;
        }
    }
    CHECK(seen->window_count < WINDOW_MAX);
    seen->window[seen->window_count++] = (struct window_entry){
        .message_id = message_id,
        .channel = asked->channel,
        .command_seq = asked->log == LOG_COMMAND ? view->seq : 0,
        .sent_ms = now_ms,
        .sends = 1,
    };
}

void deliveries_on_push(void *context, struct connection *connection, const struct push *push,
                        struct receipt *out_receipt)
{
    struct script *script = context;
    if (script->is_cut_off) {
        return;
    }
    const uint32_t serial = payload_read(push->view->payload);
    CHECK(serial > 0);
    CHECK(serial < script->model.asked_count);
    const struct asked *asked = &script->model.asked[serial];
    check_push(script, connection, push, asked);
    out_receipt->serial = serial;
    out_receipt->log = (uint8_t)asked->log;
    out_receipt->is_stored = (asked->flags & MESSAGE_NO_PERSIST) == 0;
    out_receipt->seq = push->view->seq;
    out_receipt->message_id = push->view->message_id;
    CHECK_EQ(out_receipt->is_stored, push->view->seq != 0);
    script->counts.receipts++;
    if (connection->session.is_behind || connection->session.is_catching_up) {
        script->counts.caught_up++;
    }
    if (out_receipt->is_stored) {
        struct seen *seen = deliveries_seen(script, connection);
        const uint32_t before = seen->window_count;
        note_in_window(script, seen, push->view, asked);
        if (seen->window_count == before) {
            out_receipt->serial = 0; /* a resend: it was looked at when it came first */
        }
    }
}

/* ---- Who is kicked: semantics 1.5. ---- */

static bool takes_part(const struct connection *connection)
{
    return connection->session.state == SESSION_OPEN;
}

static void check_kick(struct connection *old, const struct connection *new)
{
    const bool is_same_device = old->device == new->device;
    const bool is_kicked = is_same_device || new->session.level == DEVICE_MASTER;
    bool is_seen = false;
    for (uint32_t i = 0; i < old->kicks_count; i++) {
        struct kick_seen *kick = &old->kicks[i];
        if (!kick->is_explained && kick->delay_ms == 2000 && kick->is_spoken == !is_same_device) {
            kick->is_explained = is_kicked;
            is_seen = true;
            break;
        }
    }
    if (is_kicked) {
        CHECK(is_seen);
    }
}

void deliveries_on_login(void *context, struct connection *connection)
{
    struct script *script = context;
    connection->open_step = script->world.step;
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        struct task *task = &script->tasks[i];
        if (task->kind == TASK_LOGIN && task->connection_serial == connection->serial) {
            task->reason = connection->login_reason;
            task->level = connection->session.level;
            script->world.asked--;
            if (!script->is_cut_off) {
                task->is_home = true;
                task->home_step = script->world.step;
            }
        }
    }
    if (connection->login_reason != CHAT_REASON_SUCCESS) {
        return;
    }
    script->counts.logins++;
    struct side *side = &script->world.sides[connection->session.id.shard];
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *old = &side->connections[i];
        if (old != connection && takes_part(old) && old->uid == connection->uid &&
            old->device_flag == connection->device_flag) {
            check_kick(old, connection);
        }
    }
}

/* Kicks that no login explains come from a device change of this round (semantics 1.6). */
static void check_device_kicks(struct script *script, struct connection *connection)
{
    for (uint32_t i = 0; i < connection->kicks_count; i++) {
        struct kick_seen *kick = &connection->kicks[i];
        for (uint32_t j = 0; j < script->tasks_count && !kick->is_explained; j++) {
            const struct task *task = &script->tasks[j];
            const uint32_t delay_ms = task->is_quit ? 2000 : 10000;
            kick->is_explained =
                task->kind == TASK_DEVICE && task->uid == connection->uid && kick->is_spoken &&
                (task->is_quit || task->level == DEVICE_MASTER) && kick->delay_ms == delay_ms &&
                (task->device_flag == DEVICE_FLAG_ALL ||
                 task->device_flag == connection->device_flag);
        }
        CHECK(kick->is_explained);
    }
    script->counts.kicks += connection->kicks_count;
    connection->kicks_count = 0;
}

/* Whom a device change has to kick. */
static void check_kicked(const struct script *script, const struct connection *connection)
{
    if (script->is_troubled || script->is_cut_off) {
        return;
    }
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        const bool is_kicking =
            task->kind == TASK_DEVICE && task->is_home && task->result == ERR_OK &&
            task->reason == CHAT_REASON_SUCCESS && task->uid == connection->uid &&
            (task->is_quit || task->level == DEVICE_MASTER) &&
            (task->device_flag == DEVICE_FLAG_ALL || task->device_flag == connection->device_flag);
        if (is_kicking && connection->open_step < task->posted_step &&
            connection->state == CONNECTION_OPEN) {
            CHECK(connection->close_at_ms != 0);
        }
    }
}

/* ---- What has come by the end of a round. ---- */

static bool must_have(const struct connection *connection, const struct script *script,
                      const struct message *message, const struct seen_log *seen)
{
    const struct asked *asked = &script->model.asked[message->serial];
    return set_has(message->must, connection->uid) && asked->origin != connection->serial &&
           (connection->open_round < message->round || seen->is_begun);
}

static void explain_lack(const struct script *script, const struct connection *connection,
                         const struct message *message, uint32_t seq)
{
    const struct asked *asked = &script->model.asked[message->serial];
    const struct model_channel *channel = &script->model.channels[asked->channel];
    print_error("round %u: connection %u of uid %u, open since round %u, lacks seq %u\n",
                script->round, connection->serial, connection->uid, connection->open_round, seq);
    print_error("  send %u of uid %u to channel %u %.*s, log %u, in round %u, %s\n",
                message->serial, asked->from, channel->type, (int)channel->id_size,
                (const char *)channel->id, (unsigned)asked->log, message->round,
                script->is_troubled ? "troubled" : "calm");
    print_error(
        "  without a list %llu times, %s\n",
        (unsigned long long)metrics_sum(&script->world.metrics, METRIC_DELIVERIES_WITHOUT_ROSTER),
        connection->is_reading ? "reading" : "not reading");
}

static void check_nothing_is_left_out(const struct script *script,
                                      const struct connection *connection, const struct log *log,
                                      const struct seen_log *seen, uint32_t seq_end)
{
    for (uint32_t seq = seen->seq + 1; seq < seq_end; seq++) {
        const struct message *message = &log->messages[seq - 1];
        if (must_have(connection, script, message, seen)) {
            explain_lack(script, connection, message, seq);
            fail();
        }
    }
}

static void check_receipt(struct script *script, struct connection *connection,
                          const struct receipt *receipt)
{
    const struct asked *asked = &script->model.asked[receipt->serial];
    const struct log *log = &script->model.channels[asked->channel].logs[asked->log];
    struct seen_log *seen = &deliveries_seen(script, connection)->logs[asked->channel][asked->log];
    CHECK(asked->origin != connection->serial); /* never its own */
    CHECK(receipt->seq <= log->count);
    const struct message *message = &log->messages[receipt->seq - 1];
    CHECK_EQ(message->serial, receipt->serial);
    CHECK_EQ(message->message_id, receipt->message_id);
    CHECK(set_has(message->may, connection->uid));
    CHECK(receipt->seq > seen->seq); /* ascending, and once */
    check_nothing_is_left_out(script, connection, log, seen, (uint32_t)receipt->seq);
    seen->seq = (uint32_t)receipt->seq;
    seen->is_begun = true;
}

static struct task *find_send(struct script *script, uint32_t serial)
{
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        if (script->tasks[i].kind == TASK_SEND && script->tasks[i].serial == serial) {
            return &script->tasks[i];
        }
    }
    return NULL;
}

/* A message that is not stored comes in the round in which it was sent, at most once. */
static void check_passing(struct script *script, const struct connection *connection,
                          uint32_t serial)
{
    const struct task *task = find_send(script, serial);
    CHECK(task != NULL);
    CHECK(set_has(task->may, connection->uid));
    CHECK(script->model.asked[serial].origin != connection->serial);
    uint32_t count = 0;
    for (uint32_t i = 0; i < connection->receipts_count; i++) {
        count += connection->receipts[i].serial == serial ? 1 : 0;
    }
    CHECK_EQ(count, 1);
}

static void check_passed(struct script *script, const struct connection *connection)
{
    if (!connection->had_room_all_round || !connection_is_live(connection)) {
        return;
    }
    for (uint32_t i = 0; i < script->tasks_count; i++) {
        const struct task *task = &script->tasks[i];
        const struct asked *asked = &script->model.asked[task->serial];
        if (task->kind != TASK_SEND || !set_has(task->must, connection->uid) ||
            asked->origin == connection->serial) {
            continue;
        }
        bool is_there = false;
        for (uint32_t j = 0; j < connection->receipts_count; j++) {
            is_there |= connection->receipts[j].serial == task->serial;
        }
        CHECK(is_there);
    }
}

/* Everything up to the ends of the logs is with a client that reads. */
static void check_is_complete(struct script *script, struct connection *connection)
{
    CHECK(!connection->session.is_behind);
    struct seen *seen = deliveries_seen(script, connection);
    for (uint32_t i = 0; i < script->model.channels_count; i++) {
        for (uint32_t kind = 0; kind < LOG_KINDS_COUNT; kind++) {
            const struct log *log = &script->model.channels[i].logs[kind];
            struct seen_log *seen_log = &seen->logs[i][kind];
            if (seen_log->seq < log->count) {
                check_nothing_is_left_out(script, connection, log, seen_log, log->count + 1);
                seen_log->seq = log->count;
            }
        }
    }
}

static void check_drop(struct script *script, const struct connection *connection)
{
    if (connection->drop_cause == NULL) {
        return;
    }
    script->counts.drops++;
    const bool is_full = strcmp(connection->drop_cause, "behind_in_too_many_channels") == 0;
    if (!script->is_troubled && !is_full) {
        print_error("connection %u was dropped: %s\n", connection->serial, connection->drop_cause);
        fail();
    }
}

void deliveries_acknowledge(struct script *script, struct connection *connection,
                            const struct window_entry *entry)
{
    struct side *side = world_enter(&script->world, connection->session.id.shard);
    struct model_channel *channel = &script->model.channels[entry->channel];
    uint64_t *acknowledged_seq = &channel->acknowledged_seq[connection->uid];
    if (connection->session.level == DEVICE_MASTER && entry->command_seq > *acknowledged_seq) {
        *acknowledged_seq = entry->command_seq; /* semantics 4.4.5 */
        channel->is_changed = true;
    }
    session_received(&side->chat, &connection->session, entry->message_id);
}

static void acknowledge_as_usual(struct script *script, struct connection *connection)
{
    struct seen *seen = deliveries_seen(script, connection);
    if (seen->habit != 0 && seen->window_count < WINDOW_ACKED) {
        return;
    }
    for (uint32_t i = 0; i < seen->window_count; i++) {
        deliveries_acknowledge(script, connection, &seen->window[i]);
    }
    seen->window_count = 0;
}

static void check_connection(struct script *script, struct connection *connection)
{
    for (uint32_t i = 0; i < connection->receipts_count; i++) {
        const struct receipt *receipt = &connection->receipts[i];
        if (receipt->serial == 0) {
            continue;
        }
        if (receipt->is_stored) {
            check_receipt(script, connection, receipt);
        } else {
            check_passing(script, connection, receipt->serial);
        }
    }
    check_passed(script, connection);
    if (connection_is_live(connection) && connection->is_reading && !script->is_cut_off) {
        check_is_complete(script, connection);
    }
    check_device_kicks(script, connection);
    check_kicked(script, connection);
    check_drop(script, connection);
}

static void end_round(struct script *script, struct connection *connection)
{
    connection_forget_receipts(connection);
    if (connection->state == CONNECTION_CLOSED) {
        connection_free(&script->world, connection);
    } else if (connection_is_live(connection) && !script->is_cut_off) {
        acknowledge_as_usual(script, connection);
    }
}

void deliveries_check(struct script *script)
{
    for (uint32_t shard = 0; shard < script->world.options.shards_count; shard++) {
        for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *connection = &script->world.sides[shard].connections[i];
            if (connection->state != CONNECTION_FREE) {
                check_connection(script, connection);
                end_round(script, connection);
            }
        }
    }
}

void deliveries_check_resends(struct script *script)
{
    const uint64_t late_ms = RETRY_MS + 2 * RETRY_SCAN_MS;
    for (uint32_t shard = 0; shard < script->world.options.shards_count; shard++) {
        for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *connection = &script->world.sides[shard].connections[i];
            if (!connection_is_live(connection) || !connection->had_room_all_round) {
                continue; /* without room there is another look after the next interval */
            }
            const struct seen *seen = deliveries_seen(script, connection);
            for (uint32_t j = 0; j < seen->window_count; j++) {
                const struct window_entry *entry = &seen->window[j];
                CHECK(entry->sends > RETRY_COUNT_MAX ||
                      script->world.now_ms - entry->sent_ms < late_ms);
            }
        }
    }
}
