#include "chat/catch_up.h"

#include "base/assert.h"
#include "chat/chat.h"
#include "memory/allocator.h"
#include "store/message_log.h"
#include "telemetry/logger.h"

#define CATCHING_MESSAGES_MAX 64
#define CATCHING_ROWS_BYTES   32768u
#define RESENDS_MAX           16 /* messages read for one look at the window */

/* A reading for one session: a range of one log, or single messages to send again. */
struct catching {
    struct reading reading;
    struct chat *chat;
    struct session_id id;
    struct log_ref log; /* of the range */
    uint64_t seq_min;
    uint64_t seq_max;
    uint32_t resends_count; /* above 0: these single messages instead of the range */
    struct unacked_entry resends[RESENDS_MAX];
    bool is_found[RESENDS_MAX]; /* its row is among the rows; otherwise the log has it no more */
    enum err result;
    bool is_full; /* a row did not fit, and what is behind it was not looked for */
    size_t rows_size;
    size_t rows_capacity;
    size_t rows_wanted; /* the first row did not fit: so much is needed */
    uint8_t rows[];     /* varint size and row, one behind the other */
};

static bool log_equal(struct log_ref a, struct log_ref b)
{
    return a.channel.slot == b.channel.slot && a.channel.number == b.channel.number &&
           a.kind == b.kind;
}

/* The session's backlog, made if it has none. NULL: no memory. */
static struct backlog *need_backlog(struct chat *chat, struct session *session)
{
    if (session->backlog == NULL) {
        session->backlog = memory_acquire_zeroed(&chat->sessions_budget, MEMORY_RANK_DELIVER,
                                                 sizeof(struct backlog));
        if (session->backlog != NULL) {
            session->backlog->session = session;
        }
    }
    return session->backlog;
}

static void forget_backlog(struct chat *chat, struct session *session)
{
    struct backlog *backlog = session->backlog;
    timers_cancel(&chat->shard->timers, &backlog->retry);
    unacked_deinit(&backlog->unacked, &chat->sessions_budget);
    memory_release(&chat->sessions_budget, backlog, sizeof(*backlog));
    session->backlog = NULL;
}

/* The last run of a log, or NULL. */
static struct cursor *find_cursor(const struct session *session, struct log_ref log)
{
    const struct backlog *backlog = session->backlog;
    for (uint32_t i = backlog != NULL ? backlog->cursors_count : 0; i > 0; i--) {
        if (log_equal(backlog->cursors[i - 1].log, log)) {
            return &backlog->cursors[i - 1];
        }
    }
    return NULL;
}

/* True: it is noted. False: the table is full or there is no memory for one. */
static bool add_cursor(struct chat *chat, struct session *session, struct log_ref log, uint64_t seq)
{
    struct backlog *backlog = need_backlog(chat, session);
    if (backlog == NULL) {
        return false;
    }
    if (backlog->cursors == NULL) {
        backlog->cursors = memory_acquire(&chat->sessions_budget, MEMORY_RANK_DRAIN,
                                          SESSION_CURSORS_MAX * sizeof(struct cursor));
        if (backlog->cursors == NULL) {
            return false;
        }
        metric_add(chat->shard->metrics, METRIC_SESSIONS_BEHIND, 1);
        metric_add(chat->shard->metrics, METRIC_SESSIONS_FELL_BEHIND, 1);
    }
    if (backlog->cursors_count == SESSION_CURSORS_MAX) {
        return false;
    }
    if (backlog->cursors_count + 1 == SESSION_CURSORS_MANY) {
        metric_add(chat->shard->metrics, METRIC_CURSORS_FILLING, 1);
    }
    backlog->cursors[backlog->cursors_count++] =
        (struct cursor){.log = log, .seq_next = seq, .seq_last = seq};
    session->is_behind = true;
    return true;
}

static void forget_cursors(struct chat *chat, struct session *session)
{
    memory_release(&chat->sessions_budget, session->backlog->cursors,
                   SESSION_CURSORS_MAX * sizeof(struct cursor));
    metric_subtract(chat->shard->metrics, METRIC_SESSIONS_BEHIND, 1);
    session->backlog->cursors = NULL;
    session->backlog->cursors_count = 0;
    session->is_behind = false;
}

static void remove_cursor(struct chat *chat, struct session *session, struct cursor *cursor)
{
    struct backlog *backlog = session->backlog;
    struct cursor *last = &backlog->cursors[backlog->cursors_count - 1];
    memmove(cursor, cursor + 1, (size_t)(last - cursor) * sizeof(*cursor)); /* they take turns */
    backlog->cursors_count--;
    if (backlog->cursors_count == 0) {
        forget_cursors(chat, session);
    }
}

/* How often a session that is behind is looked at, in case that memory and not its socket was what
 * it lacked: nobody tells when some is free again. */
#define BEHIND_LOOK_MS 500

static void watch_backlog(struct chat *chat, struct session *session)
{
    struct backlog *backlog = session->backlog;
    if (backlog == NULL) {
        return;
    }
    if (session->is_behind) {
        timers_set(&chat->shard->timers, &backlog->retry, chat->shard->now_ms + BEHIND_LOOK_MS,
                   catch_up_retry);
    } else if (!timer_is_set(&backlog->retry)) {
        timers_set(&chat->shard->timers, &backlog->retry,
                   chat->shard->now_ms + chat->settings->retry_interval_ms, catch_up_retry);
    }
}

static void remember_sent(struct chat *chat, struct session *session, struct log_ref log,
                          const struct message_view *view)
{
    const struct unacked_entry entry = {
        .message_id = view->message_id,
        .seq = view->seq,
        .number = log.channel.number,
        .slot = log.channel.slot,
        .log = (uint8_t)log.kind,
        .sends = 1,
        .sent_at_ms = (uint32_t)chat->shard->now_ms,
    };
    struct backlog *backlog = need_backlog(chat, session);
    const uint32_t pushed_out =
        backlog != NULL ? unacked_add(&backlog->unacked, &chat->sessions_budget, entry) : 1;
    metric_add(chat->shard->metrics, METRIC_UNACKED_PUSHED_OUT, pushed_out);
    watch_backlog(chat, session);
}

bool session_push(struct chat *chat, struct session *session, const struct message_view *view)
{
    const struct bytes uid = session_uid(session);
    const bool is_own = bytes_equal(view->from_uid, uid);
    const bool is_from_system = bytes_equal(view->from_uid, NAME_SYSTEM_UID);
    struct push push = {
        .view = view,
        .from_uid = is_from_system ? BYTES_EMPTY : view->from_uid,
        .channel_id = name_as_seen(view->channel_id, view->channel_type, uid),
        .flags = view->flags & (MESSAGE_NO_PERSIST | MESSAGE_RED_DOT | MESSAGE_SYNC_ONCE),
    };
    if (is_own) {
        push.flags &= (uint8_t)~MESSAGE_RED_DOT;
    }
    if (view->channel_type == CHANNEL_PERSON && is_from_system) {
        push.channel_id = BYTES_EMPTY; /* the receiver's view: from_uid, which is empty */
    }
    return chat->port->push(chat, session, &push);
}

bool catch_up_push(struct chat *chat, struct session *session, struct log_ref log,
                   const struct message_view *view)
{
    struct cursor *cursor = find_cursor(session, log);
    if (cursor == NULL && session_push(chat, session, view)) {
        remember_sent(chat, session, log, view);
        return true;
    }
    if (cursor != NULL) {
        ASSERT(view->seq > cursor->seq_last); /* one channel, one writer, one order */
    }
    if (cursor != NULL && view->seq == cursor->seq_last + 1) {
        cursor->seq_last = view->seq;
        return false;
    }
    if (!add_cursor(chat, session, log, view->seq)) {
        chat->port->drop(chat, session, "behind_in_too_many_channels");
        return false;
    }
    watch_backlog(chat, session);
    return false;
}

static size_t catching_bytes(size_t rows_capacity)
{
    return sizeof(struct catching) + rows_capacity;
}

static void catching_release(struct catching *catching)
{
    memory_release(&catching->chat->readings_budget, catching,
                   catching_bytes(catching->rows_capacity));
}

static struct catching *catching_acquire(struct chat *chat, const struct session *session,
                                         size_t rows_capacity)
{
    struct catching *catching =
        memory_acquire(&chat->readings_budget, MEMORY_RANK_DRAIN, catching_bytes(rows_capacity));
    if (catching == NULL) {
        return NULL;
    }
    memset(catching, 0, sizeof(*catching));
    catching->reading.home = &chat->shard->mailbox;
    catching->chat = chat;
    catching->id = session->id;
    catching->rows_capacity = rows_capacity;
    return catching;
}

static bool catching_visit(void *context, const struct message_view *view, struct bytes row)
{
    (void)view;
    struct catching *catching = context;
    const size_t needed = row.size + 5;
    if (needed > catching->rows_capacity - catching->rows_size) {
        catching->rows_wanted = catching->rows_size == 0 ? needed : 0;
        catching->is_full = true;
        return false;
    }
    struct writer writer = writer_of(catching->rows + catching->rows_size,
                                     catching->rows_capacity - catching->rows_size);
    writer_block(&writer, row);
    catching->rows_size += writer_size(&writer);
    return true;
}

static struct message_range catching_range(struct catching *catching)
{
    return (struct message_range){
        .log = catching->log,
        .seq_min = catching->seq_min,
        .seq_max = catching->seq_max,
        .order = MESSAGES_OLDEST_ASCENDING,
        .count_max = CATCHING_MESSAGES_MAX,
        .bytes_max = CATCHING_ROWS_BYTES,
        .visit = catching_visit,
        .context = catching,
    };
}

/* On a reader thread. */
static void catching_read(struct reading *reading)
{
    struct catching *catching = CONTAINER_OF(reading, struct catching, reading);
    if (catching->resends_count == 0) {
        const struct message_range range = catching_range(catching);
        catching->result = store_read_messages(catching->chat->store, STORE_MAY_BLOCK, &range);
        return;
    }
    uint32_t i = 0;
    while (i < catching->resends_count && catching->result == ERR_OK && !catching->is_full) {
        const struct unacked_entry *entry = &catching->resends[i];
        const size_t rows_size = catching->rows_size;
        catching->log = (struct log_ref){
            .channel = {.slot = entry->slot, .number = entry->number},
            .kind = (enum log_kind)entry->log,
        };
        catching->seq_min = entry->seq;
        catching->seq_max = entry->seq;
        const struct message_range range = catching_range(catching);
        catching->result = store_read_messages(catching->chat->store, STORE_MAY_BLOCK, &range);
        catching->is_found[i] = catching->rows_size > rows_size;
        i += catching->is_full ? 0 : 1;
    }
    catching->resends_count = i; /* the others are asked for again */
}

static void catching_ask(struct catching *catching, letter_fn *receive)
{
    catching->reading.letter.receive = receive;
    catching->reading.run = catching_read;
    readers_ask(catching->chat->readers, &catching->reading);
}

static void range_arrives(struct letter *letter, void *receiver);

static bool begin_range(struct chat *chat, struct session *session, size_t rows_capacity)
{
    struct catching *catching = catching_acquire(chat, session, rows_capacity);
    if (catching == NULL) {
        return false;
    }
    const struct cursor *cursor = &session->backlog->cursors[0];
    catching->log = cursor->log;
    catching->seq_min = cursor->seq_next;
    catching->seq_max = cursor->seq_last;
    session->is_catching_up = true;
    catching_ask(catching, range_arrives);
    return true;
}

void catch_up_continue(struct chat *chat, struct session *session)
{
    if (!session->is_behind || session->is_catching_up || session->state != SESSION_OPEN) {
        return;
    }
    /* Where there is no memory for it now, watch_backlog has it looked at again. */
    (void)begin_range(chat, session, CATCHING_ROWS_BYTES);
}

/* Pushes what was read. False: the session has no room for the rest. */
static bool push_rows(struct chat *chat, struct session *session, const struct catching *catching,
                      struct cursor *cursor)
{
    struct reader reader =
        reader_of((struct bytes){.data = catching->rows, .size = catching->rows_size});
    while (reader_left(&reader) > 0) {
        struct message_view view;
        const enum err err = message_row_decode(reader_block(&reader), &view);
        ASSERT(err == ERR_OK); /* the store has checked it */
        if (!session_push(chat, session, &view)) {
            return false;
        }
        cursor->seq_next = view.seq + 1;
        metric_add(chat->shard->metrics, METRIC_DELIVERIES_CAUGHT_UP, 1);
        remember_sent(chat, session, catching->log, &view);
    }
    return true;
}

/* Lets the other logs have their turn: all runs of the first one's log go to the end, in order. */
static void put_log_back(struct session *session)
{
    struct backlog *backlog = session->backlog;
    const struct log_ref log = backlog->cursors[0].log;
    struct cursor runs[SESSION_CURSORS_MAX];
    uint32_t runs_count = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < backlog->cursors_count; i++) {
        const struct cursor cursor = backlog->cursors[i];
        if (log_equal(cursor.log, log)) {
            runs[runs_count++] = cursor;
        } else {
            backlog->cursors[kept++] = cursor;
        }
    }
    memcpy(&backlog->cursors[kept], runs, runs_count * sizeof(*runs));
}

static void range_arrives(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct catching *catching = CONTAINER_OF(reading, struct catching, reading);
    struct session *session = chat->port->find(chat, catching->id);
    if (session == NULL || session->state != SESSION_OPEN) {
        catching_release(catching);
        return;
    }
    ASSERT(session->is_behind); /* only this reading removes the first */
    struct cursor *cursor = &session->backlog->cursors[0];
    ASSERT(log_equal(cursor->log, catching->log));
    if (catching->result != ERR_OK) {
        catching_release(catching);
        session->is_catching_up = false;
        chat->port->drop(chat, session, "log_unreadable");
        return;
    }
    if (catching->rows_wanted > 0) {
        const size_t wanted = catching->rows_wanted;
        catching_release(catching);
        session->is_catching_up = false;
        if (catching_bytes(wanted) > chat->readings_budget.limit_bytes) {
            chat->port->drop(chat, session, "no_memory_to_catch_up");
        } else {
            (void)begin_range(chat, session, wanted); /* or again from the start, later */
            watch_backlog(chat, session);
        }
        return;
    }
    if (catching->rows_size == 0) {
        cursor->seq_next = catching->seq_max + 1; /* retention has taken it */
    }
    const bool has_room = push_rows(chat, session, catching, cursor);
    catching_release(catching);
    session->is_catching_up = false; /* only now: pushing may have drained the connection */
    if (cursor->seq_next > cursor->seq_last) {
        remove_cursor(chat, session, cursor);
    } else if (has_room) {
        put_log_back(session);
    }
    if (has_room) {
        catch_up_continue(chat, session);
    }
    watch_backlog(chat, session);
}

/* False: the session has no room. */
static bool resend_row(struct chat *chat, struct session *session, struct bytes row)
{
    struct message_view view;
    const enum err err = message_row_decode(row, &view);
    ASSERT(err == ERR_OK);
    /* The window is in the order of sending: if it is not the oldest, it was acknowledged, or waits
     * behind one that was sent often enough. */
    struct unacked *unacked = &session->backlog->unacked;
    const struct unacked_entry *entry = unacked_oldest(unacked);
    if (entry == NULL || entry->message_id != view.message_id) {
        return true;
    }
    struct unacked_entry again = *entry;
    if (!session_push(chat, session, &view)) {
        return false;
    }
    again.sends++;
    again.sent_at_ms = (uint32_t)chat->shard->now_ms;
    unacked_pop(unacked);
    metric_add(chat->shard->metrics, METRIC_DELIVERIES_RESENT, 1);
    (void)unacked_add(unacked, &chat->sessions_budget, again);
    return true;
}

static bool resend_rows(struct chat *chat, struct session *session, const struct catching *catching)
{
    struct reader reader =
        reader_of((struct bytes){.data = catching->rows, .size = catching->rows_size});
    for (uint32_t i = 0; i < catching->resends_count; i++) {
        if (!catching->is_found[i]) {
            struct unacked_entry given_up;
            (void)unacked_remove(&session->backlog->unacked, catching->resends[i].message_id,
                                 &given_up);
        } else if (!resend_row(chat, session, reader_block(&reader))) {
            return false;
        }
    }
    return true;
}

static void begin_resends(struct chat *chat, struct session *session, size_t rows_capacity);

static void resends_arrive(struct letter *letter, void *receiver)
{
    struct chat *chat = chat_of(receiver);
    struct reading *reading = CONTAINER_OF(letter, struct reading, letter);
    struct catching *catching = CONTAINER_OF(reading, struct catching, reading);
    struct session *session = chat->port->find(chat, catching->id);
    if (session == NULL || session->state != SESSION_OPEN) {
        catching_release(catching);
        return;
    }
    const bool is_read = catching->result == ERR_OK;
    const bool has_room = is_read && resend_rows(chat, session, catching);
    const size_t wanted = catching->rows_wanted;
    catching_release(catching);
    session->is_catching_up = false; /* only now: pushing may have drained the connection */
    if (has_room && wanted > 0 && !session->is_behind) {
        begin_resends(chat, session, wanted);
    } else if (has_room || session->is_behind) {
        catch_up_retry(&session->backlog->retry, chat->shard);
    } else {
        timers_set(&chat->shard->timers, &session->backlog->retry,
                   chat->shard->now_ms + chat->settings->retry_scan_ms, catch_up_retry);
    }
    catch_up_continue(chat, session);
}

/* Takes out what was sent often enough; returns the oldest that is due, or NULL. */
static struct unacked_entry *oldest_due(struct chat *chat, struct session *session)
{
    struct unacked *unacked = &session->backlog->unacked;
    struct unacked_entry *entry;
    while ((entry = unacked_oldest(unacked)) != NULL) {
        const uint32_t age_ms = (uint32_t)chat->shard->now_ms - entry->sent_at_ms;
        if (age_ms < chat->settings->retry_interval_ms) {
            return NULL;
        }
        if (entry->sends <= chat->settings->retry_count_max) {
            return entry;
        }
        metric_add(chat->shard->metrics, METRIC_DELIVERIES_GIVEN_UP, 1);
        unacked_pop(unacked);
    }
    return NULL;
}

static void begin_resends(struct chat *chat, struct session *session, size_t rows_capacity)
{
    if (oldest_due(chat, session) == NULL) {
        return;
    }
    struct catching *catching = catching_acquire(chat, session, rows_capacity);
    if (catching == NULL) {
        return; /* the next look comes with the timer */
    }
    const struct unacked *unacked = &session->backlog->unacked;
    for (uint32_t i = 0; i < unacked->count && catching->resends_count < RESENDS_MAX; i++) {
        const struct unacked_entry *entry =
            &unacked->entries[(unacked->first + i) % unacked->capacity];
        const uint32_t age_ms = (uint32_t)chat->shard->now_ms - entry->sent_at_ms;
        if (entry->message_id != 0 && age_ms >= chat->settings->retry_interval_ms &&
            entry->sends <= chat->settings->retry_count_max) {
            catching->resends[catching->resends_count++] = *entry;
        }
    }
    ASSERT(catching->resends_count > 0);
    session->is_catching_up = true;
    catching_ask(catching, resends_arrive);
}

void catch_up_retry(struct timer *timer, void *context)
{
    struct chat *chat = chat_of(context);
    struct backlog *backlog = CONTAINER_OF(timer, struct backlog, retry);
    struct session *session = backlog->session;
    if (session->state != SESSION_OPEN) {
        return;
    }
    if (session->is_behind) {
        if (chat->port->has_room(chat, session)) {
            catch_up_continue(chat, session);
        }
        watch_backlog(chat, session);
        return;
    }
    if (!session->is_catching_up) {
        begin_resends(chat, session, CATCHING_ROWS_BYTES);
    }
    const struct unacked_entry *oldest = unacked_oldest(&backlog->unacked);
    if (oldest == NULL && !session->is_catching_up) {
        forget_backlog(chat, session);
        return;
    }
    const uint32_t interval_ms = chat->settings->retry_interval_ms;
    const uint32_t age_ms =
        oldest != NULL ? (uint32_t)chat->shard->now_ms - oldest->sent_at_ms : interval_ms;
    const uint32_t wait_ms =
        age_ms < interval_ms ? interval_ms - age_ms : chat->settings->retry_scan_ms;
    timers_set(&chat->shard->timers, timer, chat->shard->now_ms + wait_ms, catch_up_retry);
}

void catch_up_forget(struct chat *chat, struct session *session)
{
    if (session->is_behind) {
        forget_cursors(chat, session);
    }
    if (session->backlog != NULL) {
        forget_backlog(chat, session);
    }
}
