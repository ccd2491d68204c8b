#include "store/sends.h"

#include "base/assert.h"
#include "store/log_end.h"
#include "store/log_walk.h"
#include "store/message_log.h"
#include "store/store_private.h"

#define PAGE_FORMAT     1
#define PAGE_BYTES      (1 + SENDS_PAGE_COUNT * sizeof(uint64_t))
#define PAGE_WRITES_MAX 16u /* pages of one write */

/* The pages of a log, and the chunks for where there are none. A log that is too short for a page
 * is not asked for any: to look for what is not there costs as much as to find something. */
struct send_walk {
    struct scan pages;
    bool may_have_pages;
    struct log_walk chunks;
};

uint64_t sends_hash_sender(const struct store *store, struct bytes sender)
{
    return hash_siphash(&store->identity.hash_key, sender);
}

uint64_t sends_hash(const struct store *store, uint64_t sender_hash, struct bytes client_msg_no)
{
    struct hash_key key = store->identity.hash_key;
    key.k0 ^= sender_hash;
    const uint64_t hash = hash_siphash(&key, client_msg_no);
    return hash == 0 ? 1 : hash;
}

static enum err send_walk_open(struct send_walk *walk, struct store *store, struct log_ref log,
                               uint64_t last_seq)
{
    enum err err = walk_open(&walk->chunks, store, STORE_MAY_BLOCK, log);
    walk->may_have_pages = last_seq >= SENDS_PAGE_COUNT;
    if (err != ERR_OK || !walk->may_have_pages) {
        return err;
    }
    key_of_log(&walk->pages.begin, log);
    err = scan_open_prefix(&walk->pages, store, STORE_MAY_BLOCK, FAMILY_SENDS);
    if (err != ERR_OK) {
        return scan_close(&walk->chunks.scan, err);
    }
    return ERR_OK;
}

static enum err send_walk_close(struct send_walk *walk, enum err err)
{
    if (walk->may_have_pages) {
        err = scan_close(&walk->pages, err);
    }
    return scan_close(&walk->chunks.scan, err);
}

static bool send_walk_has_page(const struct send_walk *walk)
{
    return walk->may_have_pages && scan_has_row(&walk->pages);
}

/* The page in hand: its first seq, and its hashes, until the walk moves. */
static enum err page_take(const struct send_walk *walk, uint64_t *out_first_seq,
                          struct reader *out_reader)
{
    const struct bytes key = scan_key(&walk->pages);
    const struct bytes value = scan_value(&walk->pages);
    if (key.size != KEY_PAGE_BYTES || value.size != PAGE_BYTES || value.data[0] != PAGE_FORMAT) {
        return ERR_CORRUPT;
    }
    *out_first_seq = bytes_u64_be(key.data + KEY_LOG_PREFIX_BYTES) * SENDS_PAGE_COUNT + 1;
    *out_reader = reader_of(bytes_skip(value, 1));
    return ERR_OK;
}

/* Loading a filter. */

static void load_page(struct store *store, struct log_ref log, struct reader reader)
{
    uint64_t sends[SENDS_PAGE_COUNT];
    for (uint32_t i = 0; i < SENDS_PAGE_COUNT; i++) {
        sends[i] = reader_u64(&reader);
    }
    send_filters_load(&store->filters, log, sends, SENDS_PAGE_COUNT);
}

/* Loads from chunks what is in seq_min … seq_max. */
static enum err load_chunks(struct send_walk *walk, uint64_t seq_min, uint64_t seq_max)
{
    struct store *store = walk->chunks.scan.store;
    enum err err = walk_seek_from(&walk->chunks, seq_min);
    while (err == ERR_OK && walk->chunks.has_chunk && walk->chunks.chunk.first_seq <= seq_max) {
        const struct chunk *chunk = &walk->chunks.chunk;
        uint64_t sends[STORE_CHUNK_MESSAGES_MAX];
        for (uint32_t i = 0; i < chunk->count; i++) {
            sends[i] = chunk_send(chunk, i);
        }
        send_filters_load(&store->filters, walk->chunks.log, sends, chunk->count);
        err = walk_next(&walk->chunks);
    }
    return err;
}

/* Loads everything from `seq_min` on; gives where the pages end. */
static enum err load_all(struct send_walk *walk, uint64_t seq_min, uint64_t *out_paged_seq)
{
    struct store *store = walk->chunks.scan.store;
    uint64_t next_seq = seq_min;
    if (walk->may_have_pages) {
        struct key key;
        key_of_page(&key, walk->chunks.log, (seq_min - 1) / SENDS_PAGE_COUNT);
        scan_seek(&walk->pages, &key);
    }
    while (send_walk_has_page(walk)) {
        uint64_t first_seq = 0;
        struct reader reader;
        enum err err = page_take(walk, &first_seq, &reader);
        if (err == ERR_OK && first_seq > next_seq) {
            err = load_chunks(walk, next_seq, first_seq - 1);
        }
        if (err != ERR_OK) {
            return err;
        }
        load_page(store, walk->chunks.log, reader);
        next_seq = first_seq + SENDS_PAGE_COUNT;
        rocksdb_iter_next(walk->pages.rows);
    }
    *out_paged_seq = next_seq - 1;
    return load_chunks(walk, next_seq, UINT64_MAX);
}

static enum err load_reserved(struct store *store, struct log_ref log, uint64_t last_seq,
                              uint64_t seq_min, uint64_t *out_paged_seq)
{
    struct send_walk walk;
    const enum err err = send_walk_open(&walk, store, log, last_seq);
    return err == ERR_OK ? send_walk_close(&walk, load_all(&walk, seq_min, out_paged_seq)) : err;
}

/* Makes the log's filter; *out_is_loaded is false if somebody else is doing so or there is no room.
 * The gate is held all the time, so that a reopening waits for the reservation to end. */
static enum err load_filter(struct store *store, struct log_ref log, bool *out_is_loaded)
{
    *out_is_loaded = false;
    struct log_end end;
    enum err err = store_log_end(store, log, &end);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t last_seq = end.last_seq;
    const uint64_t seq_min = last_seq > SENDS_SEARCHED_MAX ? last_seq - SENDS_SEARCHED_MAX + 1 : 1;
    if (!gate_enter(&store->gate)) {
        return ERR_IO;
    }
    if (send_filters_begin(&store->filters, log, last_seq - seq_min + 1)) {
        uint64_t paged_seq = 0;
        err = load_reserved(store, log, last_seq, seq_min, &paged_seq);
        *out_is_loaded = err == ERR_OK;
        send_filters_finish(&store->filters, log, err == ERR_OK,
                            last_seq > paged_seq ? last_seq - paged_seq : 0);
    }
    gate_leave(&store->gate);
    return err;
}

/* Writing pages. */

/* Gathers pages, some for each write. */
struct page_writer {
    struct store *store;
    struct log_ref log;
    rocksdb_writebatch_t *rows;
    uint32_t rows_count;
    uint64_t next_seq;
    uint8_t value[PAGE_BYTES];
};

static enum err pages_write(struct page_writer *writer)
{
    struct store_fault fault;
    if (writer->rows_count == 0) {
        return ERR_OK;
    }
    /* Nobody waits for them; but see log_room.h. */
    struct store *store = writer->store;
    const enum err err = store_write(store, writer->rows, !store->options.is_tail_unsynced, &fault);
    rocksdb_writebatch_clear(writer->rows);
    writer->rows_count = 0;
    return err;
}

/* Takes the hash of next_seq; writes when there is enough. */
static enum err page_add(struct page_writer *writer, uint64_t send)
{
    const uint64_t index = (writer->next_seq - 1) % SENDS_PAGE_COUNT;
    const uint64_t page = (writer->next_seq - 1) / SENDS_PAGE_COUNT;
    struct writer slot = writer_of(writer->value + 1 + index * sizeof(send), sizeof(send));
    writer_u64(&slot, send);
    writer->next_seq++;
    if (index + 1 < SENDS_PAGE_COUNT) {
        return ERR_OK;
    }
    struct key key;
    key_of_page(&key, writer->log, page);
    rocksdb_writebatch_put_cf(writer->rows, writer->store->engine.families[FAMILY_SENDS],
                              (const char *)key.data, key.size, (const char *)writer->value,
                              sizeof(writer->value));
    return ++writer->rows_count == PAGE_WRITES_MAX ? pages_write(writer) : ERR_OK;
}

/* Where the first page that is to be written begins: behind the last one that there is, and where a
 * whole page can be had. */
static enum err page_begin(struct send_walk *walk, uint64_t *out_first_seq)
{
    uint64_t first_seq = 1;
    rocksdb_iter_seek_to_last(walk->pages.rows);
    if (scan_has_row(&walk->pages)) {
        struct reader reader;
        const enum err err = page_take(walk, &first_seq, &reader);
        if (err != ERR_OK) {
            return err;
        }
        first_seq += SENDS_PAGE_COUNT;
    }
    const enum err err = walk_seek_from(&walk->chunks, first_seq);
    if (err == ERR_OK && walk->chunks.has_chunk && walk->chunks.chunk.first_seq > first_seq) {
        const uint64_t before = walk->chunks.chunk.first_seq - 1; /* cut off from the log */
        first_seq = (before + SENDS_PAGE_COUNT - 1) / SENDS_PAGE_COUNT * SENDS_PAGE_COUNT + 1;
    }
    *out_first_seq = first_seq;
    return err;
}

static enum err page_all(struct send_walk *walk, struct page_writer *writer)
{
    enum err err = page_begin(walk, &writer->next_seq);
    while (err == ERR_OK && walk->chunks.has_chunk) {
        const struct chunk *chunk = &walk->chunks.chunk;
        for (uint32_t i = 0; i < chunk->count && err == ERR_OK; i++) {
            if (chunk->first_seq + i == writer->next_seq) {
                err = page_add(writer, chunk_send(chunk, i));
            }
        }
        err = err == ERR_OK ? walk_next(&walk->chunks) : err;
    }
    return err == ERR_OK ? pages_write(writer) : err;
}

static enum err page_log(struct store *store, struct log_ref log)
{
    struct send_walk walk;
    enum err err = send_walk_open(&walk, store, log, UINT64_MAX);
    if (err != ERR_OK) {
        return err;
    }
    struct page_writer writer = {.store = store, .log = log, .next_seq = 1};
    writer.value[0] = PAGE_FORMAT;
    writer.rows = rocksdb_writebatch_create();
    err = page_all(&walk, &writer);
    rocksdb_writebatch_destroy(writer.rows);
    if (err == ERR_OK) {
        send_filters_paged(&store->filters, log, (writer.next_seq - 1) % SENDS_PAGE_COUNT);
    }
    return send_walk_close(&walk, err);
}

/* Searching. */

/* The newest seq in seq_min … seq_max whose chunk has the hash; 0: none. */
static enum err search_chunks(struct send_walk *walk, uint64_t seq_min, uint64_t seq_max,
                              uint64_t send, uint64_t *out_seq)
{
    *out_seq = 0;
    enum err err = walk_seek(&walk->chunks, seq_max);
    while (err == ERR_OK && walk_last_seq(&walk->chunks) >= seq_min) {
        const struct chunk *chunk = &walk->chunks.chunk;
        for (uint32_t i = chunk->count; i > 0; i--) {
            const uint64_t seq = chunk->first_seq + i - 1;
            if (seq >= seq_min && seq <= seq_max && chunk_send(chunk, i - 1) == send) {
                *out_seq = seq;
                return ERR_OK;
            }
        }
        err = walk_previous(&walk->chunks);
    }
    return err;
}

static uint64_t search_page(struct reader reader, uint64_t first_seq, uint64_t send)
{
    for (uint32_t i = 0; i < SENDS_PAGE_COUNT; i++) {
        if (reader_u64(&reader) == send) {
            return first_seq + i;
        }
    }
    return 0;
}

/* From the newest message down. A resend is young as a rule. */
static enum err search_all(struct send_walk *walk, uint64_t send, uint64_t *out_seq)
{
    enum err err = walk_last(&walk->chunks);
    uint64_t seq_max = walk_last_seq(&walk->chunks);
    const uint64_t seq_min = seq_max > SENDS_SEARCHED_MAX ? seq_max - SENDS_SEARCHED_MAX + 1 : 1;
    *out_seq = 0;
    if (walk->may_have_pages) {
        rocksdb_iter_seek_to_last(walk->pages.rows);
    }
    while (err == ERR_OK && send_walk_has_page(walk) && *out_seq == 0 && seq_max >= seq_min) {
        uint64_t first_seq = 0;
        struct reader reader;
        err = page_take(walk, &first_seq, &reader);
        if (err != ERR_OK) {
            return err;
        }
        const uint64_t page_end = first_seq + SENDS_PAGE_COUNT;
        if (seq_max >= page_end) {
            err = search_chunks(walk, page_end, seq_max, send, out_seq);
        }
        if (err == ERR_OK && *out_seq == 0) {
            *out_seq = search_page(reader, first_seq, send);
        }
        seq_max = first_seq - 1;
        rocksdb_iter_prev(walk->pages.rows);
    }
    if (err == ERR_OK && *out_seq == 0 && seq_max >= seq_min) {
        err = search_chunks(walk, seq_min, seq_max, send, out_seq);
    }
    return err;
}

static enum err search_log(struct store *store, struct log_ref log, uint64_t send,
                           uint64_t *out_seq)
{
    struct log_end end;
    enum err err = store_log_end(store, log, &end);
    struct send_walk walk;
    if (err == ERR_OK) {
        err = send_walk_open(&walk, store, log, end.last_seq);
    }
    if (err != ERR_OK) {
        return err;
    }
    uint64_t seq = 0;
    err = send_walk_close(&walk, search_all(&walk, send, &seq));
    if (err != ERR_OK) {
        return err;
    }
    if (seq == 0) {
        return ERR_ABSENT;
    }
    *out_seq = seq;
    return ERR_OK;
}

/* Public. */

/* Asks the filter; after a commit has failed nothing is known. */
static enum err ask_filter(struct store *store, struct log_ref log, uint64_t send,
                           enum send_answer *out_answer, bool *out_wants_care)
{
    if (!gate_enter(&store->gate)) {
        return store_note(store, FAMILY_SENDS, ERR_IO);
    }
    *out_answer = send_filters_ask(&store->filters, log, send, out_wants_care);
    gate_leave(&store->gate);
    return ERR_OK;
}

/* With time to look: makes the filter if there is none, and settles what it doubts. */
static enum err find_blocking(struct store *store, struct log_ref log, uint64_t send,
                              enum send_answer answer, uint64_t *out_seq)
{
    if (answer == SEND_IS_UNKNOWN) {
        bool is_loaded = false;
        bool wants_care = false;
        enum err err = load_filter(store, log, &is_loaded);
        if (err == ERR_OK && is_loaded) {
            err = ask_filter(store, log, send, &answer, &wants_care);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return answer == SEND_IS_NEW ? ERR_ABSENT : search_log(store, log, send, out_seq);
}

enum err store_find_send(struct store *store, enum store_wait wait, const struct store_send *send,
                         struct store_sent *out_sent)
{
    if (send->sender.size == 0 || send->sender.size > STORE_UID_BYTES_MAX ||
        send->client_msg_no.size == 0) {
        return ERR_LIMIT;
    }
    const uint64_t sender_hash = sends_hash_sender(store, send->sender);
    const uint64_t hash = sends_hash(store, sender_hash, send->client_msg_no);
    enum send_answer answer = SEND_IS_UNKNOWN;
    const enum err err = ask_filter(store, send->log, hash, &answer, &out_sent->wants_care);
    if (err != ERR_OK) {
        return err;
    }
    if (wait == STORE_CACHED_ONLY) {
        return answer == SEND_IS_NEW ? ERR_ABSENT : ERR_AGAIN;
    }
    return find_blocking(store, send->log, hash, answer, &out_sent->seq);
}

enum err store_tend_sends(struct store *store, struct log_ref log)
{
    if (!gate_enter(&store->gate)) {
        return store_note(store, FAMILY_SENDS, ERR_IO);
    }
    const enum send_care care = send_filters_care(&store->filters, log);
    gate_leave(&store->gate);
    bool is_loaded = false;
    switch (care) {
    case SEND_CARE_LOAD:
        return load_filter(store, log, &is_loaded);
    case SEND_CARE_PAGE:
        return page_log(store, log);
    case SEND_CARE_NONE:
        break;
    }
    return ERR_OK;
}
