#include "store/batch.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "store/chunk.h"
#include "store/log_end.h"
#include "store/message_row.h"
#include "store/sends.h"
#include "store/store_private.h"

#include <stdlib.h>

#define INDEX_NONE UINT32_MAX

/* RocksDB keeps the largest room that a batch has ever had. One that has been larger than this is
 * made anew when it is cleared, so that a burst is not for ever. */
#define BATCH_KEPT_BYTES_MAX (1024u * 1024u)

/* A message; those that wait for their chunk are linked in the order of seq. */
struct batch_message {
    struct bytes row;
    uint64_t send;
    uint32_t next;
    uint32_t log_index;
};

/* A log with messages in this batch, and the chunk that is being gathered for it. */
struct batch_log {
    struct log_ref log;
    uint64_t next_seq;
    uint64_t chunk_bytes;
    uint32_t chunk_count;
    uint32_t last_count;  /* messages of the chunk that was put last */
    uint32_t chunk_first; /* the first message of the chunk */
    uint32_t chunk_last;
    uint32_t table_at; /* its entry in by_log */
    bool is_new;       /* its first message here is the first of all */
    bool is_sole;      /* with its last message here, the channel's other log was empty */
};

/* The last message of a sender in a log. */
struct batch_own {
    struct log_ref log;
    uint32_t table_at; /* its entry in by_own */
    uint64_t sender_hash;
    uint64_t seq;
};

/* A log by its place among the keys. */
struct batch_order {
    uint64_t where;
    uint32_t log_index;
};

/* Finds logs and owns by a hash: open addressing, at most half full. An entry is an index plus
 * one; 0 is empty. */
struct batch_table {
    uint32_t *entries;
    uint32_t mask;
};

struct store_batch {
    struct store *store;
    struct store_batch_options options;
    rocksdb_writebatch_t *rows;
    uint64_t bytes;      /* of keys and values so far, messages included */
    bool is_sealed;      /* a commit has failed; all is in `rows` */
    uint32_t rows_count; /* put or deleted, but for messages and what comes with them */
    uint32_t messages_count;
    uint32_t logs_count;
    uint32_t owns_count;
    struct batch_message *messages;
    struct batch_log *logs; /* as many as messages */
    struct batch_own *owns; /* as many as messages, as is the next */
    struct batch_order *order;
    struct batch_table by_log; /* of logs */
    struct batch_table by_own;
};

/* Where the tables of a batch are, behind it in one piece of memory. */
struct batch_layout {
    size_t logs_offset;
    size_t owns_offset;
    size_t order_offset;
    size_t by_log_offset;
    size_t by_own_offset;
    size_t size;
    uint32_t entries_count; /* of each table */
};

static struct batch_layout batch_layout(const struct store_batch_options *options)
{
    const size_t messages = options->messages_max;
    struct batch_layout layout = {.entries_count = 16};
    while (layout.entries_count < 2 * messages) {
        layout.entries_count *= 2;
    }
    layout.logs_offset = messages * sizeof(struct batch_message);
    layout.owns_offset = layout.logs_offset + messages * sizeof(struct batch_log);
    layout.order_offset = layout.owns_offset + messages * sizeof(struct batch_own);
    layout.by_log_offset = layout.order_offset + messages * sizeof(struct batch_order);
    layout.by_own_offset = layout.by_log_offset + layout.entries_count * sizeof(uint32_t);
    layout.size = layout.by_own_offset + layout.entries_count * sizeof(uint32_t);
    return layout;
}

uint64_t store_batch_cost(const struct store_batch_options *options)
{
    return memory_cost(sizeof(struct store_batch) + batch_layout(options).size) +
           2ull * options->bytes_max;
}

static void batch_place(struct store_batch *batch, uint8_t *area)
{
    const struct batch_layout layout = batch_layout(&batch->options);
    batch->messages = (void *)area;
    batch->logs = (void *)(area + layout.logs_offset);
    batch->owns = (void *)(area + layout.owns_offset);
    batch->order = (void *)(area + layout.order_offset);
    batch->by_log.entries = (void *)(area + layout.by_log_offset);
    batch->by_log.mask = layout.entries_count - 1;
    batch->by_own.entries = (void *)(area + layout.by_own_offset);
    batch->by_own.mask = layout.entries_count - 1;
}

enum err store_batch_open(struct store *store, const struct store_batch_options *options,
                          struct store_batch **out_batch)
{
    ASSERT(options->messages_max > 0);
    ASSERT(options->messages_max < INDEX_NONE / 4);
    struct budget *budget = options->budget;
    const struct batch_layout layout = batch_layout(options);
    const enum err err = budget_charge(budget, MEMORY_RANK_ADMIT, 2ull * options->bytes_max);
    if (err != ERR_OK) {
        return err;
    }
    struct store_batch *batch =
        memory_acquire_zeroed(budget, MEMORY_RANK_ADMIT, sizeof(*batch) + layout.size);
    if (batch == NULL) {
        budget_refund(budget, 2ull * options->bytes_max);
        return ERR_BUDGET;
    }
    batch->store = store;
    batch->options = *options;
    batch->rows = rocksdb_writebatch_create();
    batch_place(batch, (uint8_t *)(batch + 1));
    *out_batch = batch;
    return ERR_OK;
}

void store_batch_close(struct store_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    const struct store_batch_options options = batch->options;
    rocksdb_writebatch_destroy(batch->rows);
    memory_release(options.budget, batch, sizeof(*batch) + batch_layout(&options).size);
    budget_refund(options.budget, 2ull * options.bytes_max);
}

bool store_batch_has_room(const struct store_batch *batch, uint32_t messages_count, uint64_t bytes)
{
    return messages_count <= batch->options.messages_max - batch->messages_count &&
           bytes <= batch->options.bytes_max - batch->bytes;
}

bool store_batch_is_empty(const struct store_batch *batch)
{
    return batch->messages_count == 0 && batch->rows_count == 0;
}

/* Most batches are much smaller than their tables, so entries are emptied one by one. */
static void tables_clear(struct store_batch *batch)
{
    for (uint32_t i = 0; i < batch->logs_count; i++) {
        batch->by_log.entries[batch->logs[i].table_at] = 0;
    }
    for (uint32_t i = 0; i < batch->owns_count; i++) {
        batch->by_own.entries[batch->owns[i].table_at] = 0;
    }
}

void store_batch_clear(struct store_batch *batch)
{
    tables_clear(batch);
    if (batch->bytes > BATCH_KEPT_BYTES_MAX) {
        rocksdb_writebatch_destroy(batch->rows);
        batch->rows = rocksdb_writebatch_create();
    } else {
        rocksdb_writebatch_clear(batch->rows);
    }
    batch->bytes = 0;
    batch->is_sealed = false;
    batch->rows_count = 0;
    batch->messages_count = 0;
    batch->logs_count = 0;
    batch->owns_count = 0;
}

void store_batch_rest(struct store_batch *batch)
{
    ASSERT(store_batch_is_empty(batch));
    rocksdb_writebatch_destroy(batch->rows);
    batch->rows = rocksdb_writebatch_create();
    memory_table_forget(batch->messages, batch_layout(&batch->options).size); /* empty is zeros */
}

/* Every call that adds begins with this. On ERR_OK the gate is ours, and there is room. */
static enum err batch_enter(struct store_batch *batch, uint32_t messages_count, uint64_t bytes)
{
    ASSERT(!batch->is_sealed);
    if (!store_batch_has_room(batch, messages_count, bytes)) {
        return ERR_FULL;
    }
    return gate_enter(&batch->store->gate) ? ERR_OK : ERR_IO;
}

/* Messages. */

/* A log in one number, which sorts as its keys do. */
static uint64_t where_of_log(struct log_ref log)
{
    return (uint64_t)log.channel.slot << 34 | (uint64_t)log.channel.number << 2 |
           (uint64_t)log.kind;
}

static uint64_t hash_of_log(struct log_ref log)
{
    const uint64_t hash = where_of_log(log) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 32;
}

static bool log_is_equal(struct log_ref a, struct log_ref b)
{
    return a.channel.slot == b.channel.slot && a.channel.number == b.channel.number &&
           a.kind == b.kind;
}

/* The log's place in the batch; a new one if it has none yet. */
static struct batch_log *batch_log(struct store_batch *batch, struct log_ref log, uint64_t hash)
{
    struct batch_table *table = &batch->by_log;
    uint32_t at = (uint32_t)hash & table->mask;
    for (; table->entries[at] != 0; at = (at + 1) & table->mask) {
        struct batch_log *found = &batch->logs[table->entries[at] - 1];
        if (log_is_equal(found->log, log)) {
            return found;
        }
    }
    struct batch_log *added = &batch->logs[batch->logs_count++];
    *added = (struct batch_log){.log = log, .table_at = at};
    table->entries[at] = batch->logs_count;
    return added;
}

/* Writes the chunk that was gathered for a log. */
static void chunk_put(struct store_batch *batch, struct batch_log *log)
{
    if (log->chunk_count == 0) {
        return;
    }
    struct chunk_message messages[STORE_CHUNK_MESSAGES_MAX];
    const char *parts[1 + STORE_CHUNK_MESSAGES_MAX];
    size_t sizes[1 + STORE_CHUNK_MESSAGES_MAX];
    uint32_t at = log->chunk_first;
    for (uint32_t i = 0; i < log->chunk_count; i++) {
        const struct batch_message *message = &batch->messages[at];
        /* The pair of the check in message_row_decode: no damage is made on this side. */
        ASSERT(message_row_is_intact(message->row));
        messages[i] = (struct chunk_message){.row = message->row, .send = message->send};
        parts[1 + i] = (const char *)message->row.data;
        sizes[1 + i] = message->row.size;
        at = message->next;
    }
    uint8_t header[CHUNK_HEADER_BYTES_MAX];
    sizes[0] = chunk_header_encode(messages, log->chunk_count, header);
    parts[0] = (const char *)header;

    struct key key;
    key_of_chunk(&key, log->log, log->next_seq - log->chunk_count);
    const char *key_part = (const char *)key.data;
    rocksdb_writebatch_putv_cf(batch->rows, batch->store->engine.families[FAMILY_MESSAGES], 1,
                               &key_part, &key.size, (int)log->chunk_count + 1, parts, sizes);
    log->last_count = log->chunk_count;
    log->chunk_count = 0;
    log->chunk_bytes = 0;
}

static void chunk_add(struct store_batch *batch, struct batch_log *log, struct bytes row,
                      uint64_t send)
{
    const bool is_full = log->chunk_count == STORE_CHUNK_MESSAGES_MAX ||
                         log->chunk_bytes + row.size > STORE_CHUNK_BYTES_MAX;
    if (is_full) {
        chunk_put(batch, log);
    }
    const uint32_t index = batch->messages_count++;
    batch->messages[index] = (struct batch_message){
        .row = row,
        .send = send,
        .next = INDEX_NONE,
        .log_index = (uint32_t)(log - batch->logs),
    };
    if (log->chunk_count == 0) {
        log->chunk_first = index;
    } else {
        batch->messages[log->chunk_last].next = index;
    }
    log->chunk_last = index;
    log->chunk_count++;
    log->chunk_bytes += row.size;
    log->next_seq++;
}

/* The sender's last message of the log becomes this one. */
static void own_add(struct store_batch *batch, const struct batch_own *own, uint64_t log_hash)
{
    struct batch_table *table = &batch->by_own;
    uint32_t at = (uint32_t)(own->sender_hash ^ log_hash) & table->mask;
    for (; table->entries[at] != 0; at = (at + 1) & table->mask) {
        struct batch_own *found = &batch->owns[table->entries[at] - 1];
        if (found->sender_hash == own->sender_hash && log_is_equal(found->log, own->log)) {
            found->seq = own->seq;
            return;
        }
    }
    batch->owns[batch->owns_count] = *own;
    batch->owns[batch->owns_count++].table_at = at;
    table->entries[at] = batch->owns_count;
}

static void message_add(struct store_batch *batch, const struct store_message *message)
{
    const uint64_t log_hash = hash_of_log(message->log);
    struct batch_log *log = batch_log(batch, message->log, log_hash);
    if (log->next_seq != message->seq) {
        ASSERT(log->next_seq < message->seq);
        log->is_new = log->is_new || message->seq == 1;
        chunk_put(batch, log); /* seqs were left out: a chunk has none missing */
        log->next_seq = message->seq;
    }
    log->is_sole = message->is_sole;
    uint64_t send = 0;
    if (message->sender.size > 0) {
        const struct batch_own own = {
            .log = message->log,
            .sender_hash = sends_hash_sender(batch->store, message->sender),
            .seq = message->seq,
        };
        own_add(batch, &own, log_hash);
        if (message->client_msg_no.size > 0) {
            send = sends_hash(batch->store, own.sender_hash, message->client_msg_no);
        }
    }
    chunk_add(batch, log, message->row, send);
}

enum err store_batch_add_message(struct store_batch *batch, const struct store_message *message)
{
    ASSERT(message->seq > 0);
    if (message->row.size > MESSAGE_ROW_BYTES_MAX || message->sender.size > STORE_UID_BYTES_MAX) {
        return ERR_LIMIT;
    }
    const uint64_t bytes = message->row.size + STORE_MESSAGE_EXTRA_BYTES;
    const enum err err = batch_enter(batch, 1, bytes);
    if (err != ERR_OK) {
        return err;
    }
    message_add(batch, message);
    batch->bytes += bytes;
    gate_leave(&batch->store->gate);
    return ERR_OK;
}

/* Commit. */

static void owns_put(struct store_batch *batch)
{
    rocksdb_column_family_handle_t *family = batch->store->engine.families[FAMILY_OWNS];
    for (uint32_t i = 0; i < batch->owns_count; i++) {
        const struct batch_own *own = &batch->owns[i];
        uint8_t key[KEY_OWN_BYTES];
        key_of_own(key, own->log, own->sender_hash);
        struct row_area area;
        seq_row_encode(&area, own->seq);
        rocksdb_writebatch_put_cf(batch->rows, family, (const char *)key, sizeof(key),
                                  (const char *)area.data, area.size);
    }
}

static int order_compare(const void *a, const void *b)
{
    const struct batch_order *x = a;
    const struct batch_order *y = b;
    return x->where < y->where ? -1 : (x->where > y->where ? 1 : 0);
}

/* In the order of the keys, since RocksDB finds the place of a row fastest near the last one's. */
static void chunks_put(struct store_batch *batch)
{
    for (uint32_t i = 0; i < batch->logs_count; i++) {
        batch->order[i] =
            (struct batch_order){.where = where_of_log(batch->logs[i].log), .log_index = i};
    }
    qsort(batch->order, batch->logs_count, sizeof(*batch->order), order_compare);
    for (uint32_t i = 0; i < batch->logs_count; i++) {
        chunk_put(batch, &batch->logs[batch->order[i].log_index]);
    }
}

static void batch_seal(struct store_batch *batch)
{
    if (batch->is_sealed) {
        return;
    }
    chunks_put(batch);
    owns_put(batch);
    batch->is_sealed = true;
}

/* For so many messages at once the filters are kept from those who ask. */
#define FILTER_ADDS_MAX 64u

/* What is committed is found from now on. */
static void batch_remember(struct store_batch *batch)
{
    struct seq_cache *owns = &batch->store->owns;
    seq_cache_begin(owns);
    for (uint32_t i = 0; i < batch->owns_count; i++) {
        const struct batch_own *own = &batch->owns[i];
        seq_cache_add(owns, store_own_key(own->log, own->sender_hash), own->seq);
    }
    seq_cache_end(owns);

    struct seq_cache *lasts = &batch->store->lasts;
    seq_cache_begin(lasts);
    atomic_fetch_add(&batch->store->commits, 1);
    for (uint32_t i = 0; i < batch->logs_count; i++) {
        const struct batch_log *log = &batch->logs[i];
        const struct log_end end = {
            .last_seq = log->next_seq - 1, .chunk_count = log->last_count, .is_sole = log->is_sole};
        log_end_remember(lasts, log->log, &end);
        if (log->is_new) {
            log_end_is_joined(lasts, log->log);
        }
    }
    seq_cache_end(lasts);

    struct send_filters *filters = &batch->store->filters;
    for (uint32_t begin = 0; begin < batch->messages_count; begin += FILTER_ADDS_MAX) {
        const uint32_t left = batch->messages_count - begin;
        const uint32_t end = begin + (left < FILTER_ADDS_MAX ? left : FILTER_ADDS_MAX);
        send_filters_enter(filters);
        for (uint32_t i = begin; i < end; i++) {
            const struct batch_message *message = &batch->messages[i];
            struct batch_log *log = &batch->logs[message->log_index];
            send_filters_add(filters, log->log, message->send, log->is_new);
            log->is_new = false;
        }
        send_filters_leave(filters);
    }
}

enum err store_batch_commit(struct store_batch *batch, bool is_synced,
                            struct store_fault *out_fault)
{
    struct store *store = batch->store;
    if (store_batch_is_empty(batch)) {
        return ERR_OK;
    }
    if (!gate_enter(&store->gate)) {
        fault_set(out_fault, "%s: not open since a write has failed", store->options.path);
        return ERR_IO;
    }
    batch_seal(batch);
    if (is_synced) {
        size_t bytes = 0;
        (void)rocksdb_writebatch_data(batch->rows, &bytes);
        log_room_make(&store->log_room, bytes);
    }
    const enum err err = store_write(store, batch->rows, is_synced, out_fault);
    if (err == ERR_OK) {
        batch_remember(batch);
    } else {
        gate_shut(&store->gate); /* nobody may rely on what is not known to be on the disk */
    }
    gate_leave(&store->gate);
    if (err != ERR_OK) {
        return ERR_IO;
    }
    store_batch_clear(batch);
    return ERR_OK;
}

/* All other rows. */

static enum err batch_put(struct store_batch *batch, enum family family, struct bytes key,
                          struct bytes value)
{
    const uint64_t bytes = key.size + value.size;
    const enum err err = batch_enter(batch, 0, bytes);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_writebatch_put_cf(batch->rows, batch->store->engine.families[family],
                              (const char *)key.data, key.size, (const char *)value.data,
                              value.size);
    batch->bytes += bytes;
    batch->rows_count++;
    gate_leave(&batch->store->gate);
    return ERR_OK;
}

static enum err batch_delete(struct store_batch *batch, enum family family, struct bytes key)
{
    const enum err err = batch_enter(batch, 0, key.size);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_writebatch_delete_cf(batch->rows, batch->store->engine.families[family],
                                 (const char *)key.data, key.size);
    batch->bytes += key.size;
    batch->rows_count++;
    gate_leave(&batch->store->gate);
    return ERR_OK;
}

enum err store_batch_put_channel(struct store_batch *batch, struct channel_name name,
                                 const struct channel_row *row)
{
    struct key key;
    enum err err = key_of_channel(&key, name);
    if (err != ERR_OK) {
        return err;
    }
    struct key number_key;
    key_of_number(&number_key, (struct channel_ref){slot_of_channel(name), row->number});
    struct row_area area;
    struct row_area number_area;
    channel_row_encode(&area, row);
    number_row_encode(&number_area, name);
    const uint64_t bytes = key.size + area.size + number_key.size + number_area.size;
    err = batch_enter(batch, 0, bytes);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_column_family_handle_t *const *families = batch->store->engine.families;
    rocksdb_writebatch_put_cf(batch->rows, families[FAMILY_CHANNELS], (const char *)key.data,
                              key.size, (const char *)area.data, area.size);
    rocksdb_writebatch_put_cf(batch->rows, families[FAMILY_NUMBERS], (const char *)number_key.data,
                              number_key.size, (const char *)number_area.data, number_area.size);
    batch->bytes += bytes;
    batch->rows_count += 2;
    gate_leave(&batch->store->gate);
    return ERR_OK;
}

enum err store_batch_put_member(struct store_batch *batch, struct list_ref list, struct bytes uid,
                                const struct member_row *row)
{
    struct key key;
    const enum err err = key_of_member(&key, list, uid);
    if (err != ERR_OK) {
        return err;
    }
    struct row_area area;
    member_row_encode(&area, row);
    return batch_put(batch, FAMILY_MEMBERS, key_bytes(&key), row_bytes(&area));
}

enum err store_batch_delete_member(struct store_batch *batch, struct list_ref list,
                                   struct bytes uid)
{
    struct key key;
    const enum err err = key_of_member(&key, list, uid);
    return err == ERR_OK ? batch_delete(batch, FAMILY_MEMBERS, key_bytes(&key)) : err;
}

static enum err batch_delete_range(struct store_batch *batch, enum family family,
                                   const struct key *begin, const struct key *end)
{
    const enum err err = batch_enter(batch, 0, begin->size + end->size);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_writebatch_delete_range_cf(batch->rows, batch->store->engine.families[family],
                                       (const char *)begin->data, begin->size,
                                       (const char *)end->data, end->size);
    batch->bytes += begin->size + end->size;
    batch->rows_count++;
    gate_leave(&batch->store->gate);
    return ERR_OK;
}

enum err store_batch_clear_list(struct store_batch *batch, struct list_ref list)
{
    struct key begin;
    struct key end;
    key_of_list(&begin, list);
    key_of_list(&end, list);
    key_pass_prefix(&end);
    return batch_delete_range(batch, FAMILY_MEMBERS, &begin, &end);
}

enum err store_batch_put_directory(struct store_batch *batch, const struct directory_key *key,
                                   const struct directory_row *row)
{
    struct key row_key;
    const enum err err = key_of_directory(&row_key, key);
    if (err != ERR_OK) {
        return err;
    }
    struct row_area area;
    directory_row_encode(&area, row);
    return batch_put(batch, FAMILY_DIRECTORY, key_bytes(&row_key), row_bytes(&area));
}

enum err store_batch_delete_directory(struct store_batch *batch, const struct directory_key *key)
{
    struct key row_key;
    const enum err err = key_of_directory(&row_key, key);
    return err == ERR_OK ? batch_delete(batch, FAMILY_DIRECTORY, key_bytes(&row_key)) : err;
}

enum err store_batch_put_user(struct store_batch *batch, struct bytes uid,
                              const struct user_row *row)
{
    struct key key;
    const enum err err = key_of_user(&key, uid);
    if (err != ERR_OK) {
        return err;
    }
    struct row_area area;
    user_row_encode(&area, row);
    return batch_put(batch, FAMILY_USERS, key_bytes(&key), row_bytes(&area));
}

enum err store_batch_put_device(struct store_batch *batch, struct device_key key,
                                const struct device_row *row)
{
    struct key row_key;
    const enum err err = key_of_device(&row_key, key);
    if (err != ERR_OK) {
        return err;
    }
    struct row_area area;
    device_row_encode(&area, row);
    return batch_put(batch, FAMILY_USERS, key_bytes(&row_key), row_bytes(&area));
}

enum err store_batch_delete_device(struct store_batch *batch, struct device_key key)
{
    struct key row_key;
    const enum err err = key_of_device(&row_key, key);
    return err == ERR_OK ? batch_delete(batch, FAMILY_USERS, key_bytes(&row_key)) : err;
}

/* A row whose value is a format byte and `value`. */
static enum err batch_put_plain(struct store_batch *batch, enum family family,
                                const struct key *key, uint8_t format, struct bytes value)
{
    const uint64_t bytes = key->size + 1 + value.size;
    const enum err err = batch_enter(batch, 0, bytes);
    if (err != ERR_OK) {
        return err;
    }
    const char head = (char)format;
    const char *key_part = (const char *)key->data;
    const char *const parts[2] = {&head, (const char *)value.data};
    const size_t sizes[2] = {1, value.size};
    rocksdb_writebatch_putv_cf(batch->rows, batch->store->engine.families[family], 1, &key_part,
                               &key->size, value.size > 0 ? 2 : 1, parts, sizes);
    batch->bytes += bytes;
    batch->rows_count++;
    gate_leave(&batch->store->gate);
    return ERR_OK;
}

enum err store_batch_put_lane(struct store_batch *batch, const struct stream_ref *stream,
                              struct bytes lane, const struct lane_row *row)
{
    struct key key;
    const enum err err = key_of_lane(&key, stream, lane);
    if (err != ERR_OK) {
        return err;
    }
    if (row->event_id.size > STREAM_NAME_BYTES_MAX ||
        row->event_type.size > STREAM_WORD_BYTES_MAX ||
        row->visibility.size > STREAM_WORD_BYTES_MAX || row->error.size > STREAM_ERROR_BYTES_MAX) {
        return ERR_LIMIT;
    }
    struct row_area area;
    lane_row_encode(&area, row);
    return batch_put(batch, FAMILY_EVENTS, key_bytes(&key), row_bytes(&area));
}

enum err store_batch_put_piece(struct store_batch *batch, const struct stream_ref *stream,
                               const struct lane_piece *piece)
{
    struct key key;
    const enum err err = piece->bytes.size > STREAM_PIECE_BYTES_MAX
                             ? ERR_LIMIT
                             : key_of_piece(&key, stream, piece->lane, piece->index);
    return err == ERR_OK ? batch_put_plain(batch, FAMILY_EVENTS, &key, PIECE_FORMAT, piece->bytes)
                         : err;
}

enum err store_batch_cut_pieces(struct store_batch *batch, const struct stream_ref *stream,
                                uint16_t lane, uint32_t index)
{
    struct key begin;
    struct key end;
    enum err err = key_of_piece(&begin, stream, lane, index);
    if (err == ERR_OK) {
        err = key_of_pieces(&end, stream, lane);
    }
    if (err != ERR_OK) {
        return err;
    }
    key_pass_prefix(&end);
    return batch_delete_range(batch, FAMILY_EVENTS, &begin, &end);
}

static enum err batch_put_meta(struct store_batch *batch, enum meta_kind kind, struct bytes name,
                               struct bytes value)
{
    struct key key;
    const enum err err = key_of_meta(&key, kind, name);
    return err == ERR_OK ? batch_put_plain(batch, FAMILY_META, &key, META_FORMAT, value) : err;
}

static enum err batch_delete_meta(struct store_batch *batch, enum meta_kind kind, struct bytes name)
{
    struct key key;
    const enum err err = key_of_meta(&key, kind, name);
    return err == ERR_OK ? batch_delete(batch, FAMILY_META, key_bytes(&key)) : err;
}

enum err store_batch_put_system_uid(struct store_batch *batch, struct bytes uid)
{
    return uid.size == 0 ? ERR_LIMIT
                         : batch_put_meta(batch, META_KIND_SYSTEM_UID, uid, BYTES_EMPTY);
}

enum err store_batch_delete_system_uid(struct store_batch *batch, struct bytes uid)
{
    return uid.size == 0 ? ERR_LIMIT : batch_delete_meta(batch, META_KIND_SYSTEM_UID, uid);
}

enum err store_batch_put_meta(struct store_batch *batch, struct bytes name, struct bytes value)
{
    if (name.size == 0 || value.size > STORE_META_VALUE_BYTES_MAX) {
        return ERR_LIMIT;
    }
    return batch_put_meta(batch, META_KIND_NAMED, name, value);
}

enum err store_batch_delete_meta(struct store_batch *batch, struct bytes name)
{
    return name.size == 0 ? ERR_LIMIT : batch_delete_meta(batch, META_KIND_NAMED, name);
}

enum err store_batch_put_outbox(struct store_batch *batch, const struct outbox_key *key,
                                struct bytes row)
{
    uint8_t area[OUTBOX_KEY_BYTES];
    outbox_key_encode(key, area);
    return batch_put(batch, FAMILY_OUTBOX, (struct bytes){.data = area, .size = sizeof(area)}, row);
}

enum err store_batch_delete_outbox(struct store_batch *batch, const struct outbox_key *key)
{
    uint8_t area[OUTBOX_KEY_BYTES];
    outbox_key_encode(key, area);
    return batch_delete(batch, FAMILY_OUTBOX, (struct bytes){.data = area, .size = sizeof(area)});
}

enum err store_batch_put_last_ms(struct store_batch *batch, uint64_t wall_ms)
{
    struct key key;
    const enum err err = key_of_meta(&key, META_KIND_LAST_MS, BYTES_EMPTY);
    ASSERT(err == ERR_OK);
    struct row_area area;
    seq_row_encode(&area, wall_ms);
    return batch_put(batch, FAMILY_META, key_bytes(&key), row_bytes(&area));
}
