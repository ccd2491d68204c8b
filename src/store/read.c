#include "store/read.h"

#include "base/assert.h"
#include "store/log_end.h"
#include "store/sends.h"
#include "store/store_private.h"

/* Channels. */

enum err store_find_channel_row(struct store *store, enum store_wait wait, struct channel_name name,
                                struct channel_row *out_row)
{
    struct key key;
    enum err err = key_of_channel(&key, name);
    if (err != ERR_OK) {
        return err;
    }
    struct pin pin;
    err = store_pin(store, wait, FAMILY_CHANNELS, key_bytes(&key), &pin);
    return err == ERR_OK ? store_unpin(&pin, channel_row_decode(pin.value, out_row)) : err;
}

enum err store_load_channel(struct store *store, enum store_wait wait, struct channel_name name,
                            struct channel_state *out_state)
{
    struct channel_row row;
    enum err err = store_find_channel_row(store, wait, name, &row);
    if (err != ERR_OK) {
        return err;
    }
    const struct channel_ref ref = {.slot = slot_of_channel(name), .number = row.number};
    uint64_t last_seq[LOG_KINDS_COUNT];
    err = store_log_ends(store, wait, ref, last_seq);
    if (err != ERR_OK) {
        return err;
    }
    out_state->ref = ref;
    out_state->row = row;
    memcpy(out_state->last_seq, last_seq, sizeof(last_seq));
    return ERR_OK;
}

enum err store_find_channel(struct store *store, enum store_wait wait, struct channel_name name,
                            struct channel_ref *out_ref)
{
    struct channel_row row;
    const enum err err = store_find_channel_row(store, wait, name, &row);
    if (err == ERR_OK) {
        *out_ref = (struct channel_ref){.slot = slot_of_channel(name), .number = row.number};
    }
    return err;
}

enum err store_last_number(struct store *store, enum store_wait wait, uint16_t slot,
                           uint32_t *out_number)
{
    struct scan scan;
    key_of_slot(&scan.begin, slot);
    enum err err = scan_open_prefix(&scan, store, wait, FAMILY_NUMBERS);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t number = 0;
    rocksdb_iter_seek_to_last(scan.rows);
    if (scan_has_row(&scan)) {
        const struct bytes key = scan_key(&scan);
        if (key.size == KEY_CHANNEL_PREFIX_BYTES) {
            number = bytes_u32_be(key.data + 2);
        } else {
            err = ERR_CORRUPT;
        }
    }
    err = scan_close(&scan, err);
    if (err == ERR_OK) {
        *out_number = number;
    }
    return err;
}

enum err store_find_channel_name(struct store *store, enum store_wait wait,
                                 struct channel_ref channel, struct channel_identity *out_identity)
{
    struct key key;
    key_of_number(&key, channel);
    struct pin pin;
    const enum err err = store_pin(store, wait, FAMILY_NUMBERS, key_bytes(&key), &pin);
    return err == ERR_OK ? store_unpin(&pin, number_row_decode(pin.value, out_identity)) : err;
}

/* A sender's own last. */

static enum err find_own(struct store *store, enum store_wait wait, struct log_ref log,
                         uint64_t sender_hash, uint64_t *out_seq)
{
    uint8_t key[KEY_OWN_BYTES];
    key_of_own(key, log, sender_hash);
    struct pin pin;
    const enum err err =
        store_pin(store, wait, FAMILY_OWNS, (struct bytes){.data = key, .size = sizeof(key)}, &pin);
    return err == ERR_OK ? store_unpin(&pin, seq_row_decode(pin.value, out_seq)) : err;
}

enum err store_own_last_seq(struct store *store, enum store_wait wait, struct log_ref log,
                            struct bytes uid, uint64_t *out_seq)
{
    if (uid.size == 0 || uid.size > STORE_UID_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (!gate_enter(&store->gate)) {
        return store_note(store, FAMILY_OWNS, ERR_IO);
    }
    const uint64_t hash = sends_hash_sender(store, uid);
    const bool is_found = seq_cache_find(&store->owns, store_own_key(log, hash), out_seq);
    const enum err err = is_found ? ERR_OK : find_own(store, wait, log, hash, out_seq);
    gate_leave(&store->gate);
    if (err == ERR_ABSENT) {
        *out_seq = 0;
    }
    return err == ERR_ABSENT ? ERR_OK : err;
}

/* Members. */

enum err store_find_member(struct store *store, enum store_wait wait, struct list_ref list,
                           struct bytes uid, struct member_row *out_row)
{
    struct key key;
    enum err err = key_of_member(&key, list, uid);
    if (err != ERR_OK) {
        return err;
    }
    struct pin pin;
    err = store_pin(store, wait, FAMILY_MEMBERS, key_bytes(&key), &pin);
    return err == ERR_OK ? store_unpin(&pin, member_row_decode(pin.value, out_row)) : err;
}

enum err store_list_is_empty(struct store *store, enum store_wait wait, struct list_ref list,
                             bool *out_is_empty)
{
    struct scan scan;
    key_of_list(&scan.begin, list);
    enum err err = scan_open_prefix(&scan, store, wait, FAMILY_MEMBERS);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_iter_seek_to_first(scan.rows);
    const bool is_empty = !scan_has_row(&scan);
    err = scan_close(&scan, ERR_OK);
    if (err == ERR_OK) {
        *out_is_empty = is_empty;
    }
    return err;
}

/* To the first row behind `after`, which lies in the scan; or to the first if there is none. */
static void scan_begin_after(struct scan *scan, const struct key *after, bool has_after)
{
    if (!has_after) {
        rocksdb_iter_seek_to_first(scan->rows);
        return;
    }
    scan_seek(scan, after);
    if (scan_has_row(scan) && bytes_equal(scan_key(scan), key_bytes(after))) {
        rocksdb_iter_next(scan->rows);
    }
}

static enum err visit_members(struct scan *scan, const struct member_page *page)
{
    for (uint32_t i = 0; i < page->count_max && scan_has_row(scan); i++) {
        struct member_row row;
        const enum err err = member_row_decode(scan_value(scan), &row);
        if (err != ERR_OK) {
            return err;
        }
        if (!page->visit(page->context, bytes_skip(scan_key(scan), KEY_LOG_PREFIX_BYTES), &row)) {
            break;
        }
        rocksdb_iter_next(scan->rows);
    }
    return ERR_OK;
}

enum err store_read_members(struct store *store, enum store_wait wait,
                            const struct member_page *page)
{
    ASSERT(page->count_max > 0);
    struct key after;
    const bool has_after = page->after.size > 0;
    enum err err = has_after ? key_of_member(&after, page->list, page->after) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    struct scan scan;
    key_of_list(&scan.begin, page->list);
    err = scan_open_prefix(&scan, store, wait, FAMILY_MEMBERS);
    if (err != ERR_OK) {
        return err;
    }
    scan_begin_after(&scan, &after, has_after);
    return scan_close(&scan, visit_members(&scan, page));
}

/* Conversations. */

enum err store_find_directory(struct store *store, enum store_wait wait,
                              const struct directory_key *key, struct directory_row *out_row)
{
    struct key row_key;
    enum err err = key_of_directory(&row_key, key);
    if (err != ERR_OK) {
        return err;
    }
    struct pin pin;
    err = store_pin(store, wait, FAMILY_DIRECTORY, key_bytes(&row_key), &pin);
    return err == ERR_OK ? store_unpin(&pin, directory_row_decode(pin.value, out_row)) : err;
}

/* A row of a directory; the name is copied, so that the walk can go on. */
struct directory_place {
    struct directory_row row;
    uint8_t type;
    size_t id_size;
    uint8_t id[STORE_CHANNEL_ID_BYTES_MAX];
};

static enum err take_directory(const struct scan *scan, struct directory_place *out_place)
{
    const struct bytes name = bytes_skip(scan_key(scan), scan->begin.size);
    if (name.size < 2 || name.size > 1 + sizeof(out_place->id)) {
        return ERR_CORRUPT;
    }
    out_place->type = name.data[0];
    out_place->id_size = name.size - 1;
    memcpy(out_place->id, name.data + 1, out_place->id_size);
    return directory_row_decode(scan_value(scan), &out_place->row);
}

/* Lists ask next where the log ends: that comes from memory while RocksDB goes to the next row. */
static enum err visit_directory(struct scan *scan, const struct directory_page *page)
{
    struct directory_place place;
    for (uint32_t i = 0; i < page->count_max && scan_has_row(scan); i++) {
        const enum err err = take_directory(scan, &place);
        if (err != ERR_OK) {
            return err;
        }
        log_end_prefetch(&scan->store->lasts,
                         (struct log_ref){.channel = place.row.channel, .kind = LOG_CHAT});
        if (page->is_descending) {
            rocksdb_iter_prev(scan->rows);
        } else {
            rocksdb_iter_next(scan->rows);
        }
        const struct channel_name channel = {.type = place.type,
                                             .id = {.data = place.id, .size = place.id_size}};
        if (!page->visit(page->context, channel, &place.row)) {
            break;
        }
    }
    return ERR_OK;
}

enum err store_read_directory(struct store *store, enum store_wait wait,
                              const struct directory_page *page)
{
    ASSERT(page->count_max > 0);
    struct key after;
    const bool has_after = page->after.type != 0;
    ASSERT(!has_after || !page->is_descending);
    const struct directory_key after_key = {.uid = page->uid, .channel = page->after};
    enum err err = has_after ? key_of_directory(&after, &after_key) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    struct scan scan;
    err = key_of_directory_user(&scan.begin, page->uid);
    if (err != ERR_OK) {
        return err;
    }
    err = scan_open_prefix(&scan, store, wait, FAMILY_DIRECTORY);
    if (err != ERR_OK) {
        return err;
    }
    if (page->is_descending) {
        rocksdb_iter_seek_to_last(scan.rows);
    } else {
        scan_begin_after(&scan, &after, has_after);
    }
    return scan_close(&scan, visit_directory(&scan, page));
}

/* Users. */

enum err store_find_user(struct store *store, enum store_wait wait, struct bytes uid,
                         struct user_row *out_row)
{
    struct key key;
    enum err err = key_of_user(&key, uid);
    if (err != ERR_OK) {
        return err;
    }
    struct pin pin;
    err = store_pin(store, wait, FAMILY_USERS, key_bytes(&key), &pin);
    return err == ERR_OK ? store_unpin(&pin, user_row_decode(pin.value, out_row)) : err;
}

enum err store_find_device(struct store *store, enum store_wait wait, struct device_key key,
                           struct device_row *out_row)
{
    struct key row_key;
    enum err err = key_of_device(&row_key, key);
    if (err != ERR_OK) {
        return err;
    }
    struct pin pin;
    err = store_pin(store, wait, FAMILY_USERS, key_bytes(&row_key), &pin);
    return err == ERR_OK ? store_unpin(&pin, device_row_decode(pin.value, out_row)) : err;
}

/* What describes the database. */

enum err store_read_system_uids(struct store *store, store_uid_fn *visit, void *context)
{
    struct scan scan;
    enum err err = key_of_meta(&scan.begin, META_KIND_SYSTEM_UID, BYTES_EMPTY);
    ASSERT(err == ERR_OK);
    err = scan_open_prefix(&scan, store, STORE_MAY_BLOCK, FAMILY_META);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_iter_seek_to_first(scan.rows);
    while (scan_has_row(&scan) && visit(context, bytes_skip(scan_key(&scan), 1))) {
        rocksdb_iter_next(scan.rows);
    }
    return scan_close(&scan, ERR_OK);
}

static enum err meta_copy(struct bytes value, struct store_area *area)
{
    if (value.size == 0 || value.data[0] != META_FORMAT) {
        return ERR_CORRUPT;
    }
    const struct bytes rest = bytes_skip(value, 1);
    if (rest.size > area->size) {
        return ERR_FULL;
    }
    if (rest.size > 0) {
        memcpy(area->data, rest.data, rest.size);
    }
    area->used = rest.size;
    return ERR_OK;
}

enum err store_find_meta(struct store *store, struct bytes name, struct store_area *area)
{
    struct key key;
    enum err err = name.size == 0 ? ERR_LIMIT : key_of_meta(&key, META_KIND_NAMED, name);
    if (err != ERR_OK) {
        return err;
    }
    struct pin pin;
    err = store_pin(store, STORE_MAY_BLOCK, FAMILY_META, key_bytes(&key), &pin);
    return err == ERR_OK ? store_unpin(&pin, meta_copy(pin.value, area)) : err;
}

enum err store_last_ms(struct store *store, uint64_t *out_wall_ms)
{
    struct key key;
    enum err err = key_of_meta(&key, META_KIND_LAST_MS, BYTES_EMPTY);
    ASSERT(err == ERR_OK);
    struct pin pin;
    err = store_pin(store, STORE_MAY_BLOCK, FAMILY_META, key_bytes(&key), &pin);
    if (err == ERR_ABSENT) {
        *out_wall_ms = 0;
        return ERR_OK;
    }
    return err == ERR_OK ? store_unpin(&pin, seq_row_decode(pin.value, out_wall_ms)) : err;
}

void store_uuid(const struct store *store, uint8_t out_uuid[STORE_UUID_BYTES])
{
    memcpy(out_uuid, store->identity.uuid, STORE_UUID_BYTES);
}
