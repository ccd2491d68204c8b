#include "store/browse.h"

#include "store/store_private.h"

/* Slots are below 4096, so no key begins with this. */
#define BEHIND_ALL_KEYS 0xffu

/* One row of a walk: its visitor is told, or it is of another kind. ERR_CLOSED: the visitor has had
 * enough. */
typedef enum err row_fn(void *walk, struct bytes key, struct bytes value);

static enum err walk_family(struct store *store, enum family family, row_fn *take, void *walk)
{
    struct scan scan;
    scan.begin.size = 0;
    scan.end.size = 1;
    scan.end.data[0] = BEHIND_ALL_KEYS;
    enum err err = scan_open(&scan, store, STORE_MAY_BLOCK, family);
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_iter_seek_to_first(scan.rows);
    for (uint32_t i = 0; i < STORE_BROWSE_ROWS_MAX && err == ERR_OK && scan_has_row(&scan); i++) {
        err = take(walk, scan_key(&scan), scan_value(&scan));
        rocksdb_iter_next(scan.rows);
    }
    return scan_close(&scan, err == ERR_CLOSED ? ERR_OK : err);
}

/* ---- Channels: slot u16 | type u8 | channel id. ---- */

struct channels_walk {
    store_channel_fn *visit;
    void *context;
};

static enum err take_channel(void *context, struct bytes key, struct bytes value)
{
    const struct channels_walk *walk = context;
    struct channel_row row;
    const enum err err = channel_row_decode(value, &row);
    if (err != ERR_OK || key.size < 4) {
        return ERR_CORRUPT;
    }
    const struct channel_name name = {.type = key.data[2], .id = bytes_skip(key, 3)};
    return walk->visit(walk->context, name, &row) ? ERR_OK : ERR_CLOSED;
}

enum err store_browse_channels(struct store *store, store_channel_fn *visit, void *context)
{
    struct channels_walk walk = {.visit = visit, .context = context};
    return walk_family(store, FAMILY_CHANNELS, take_channel, &walk);
}

/* ---- Users: slot u16 | uid size u16 | uid | what follows. ---- */

static enum err split_user_key(struct bytes key, struct bytes *out_uid, struct bytes *out_rest)
{
    if (key.size < 4) {
        return ERR_CORRUPT;
    }
    const size_t size = bytes_u16_be(key.data + 2);
    key = bytes_skip(key, 4);
    if (key.size <= size) {
        return ERR_CORRUPT;
    }
    *out_uid = (struct bytes){.data = key.data, .size = size};
    *out_rest = bytes_skip(key, size);
    return ERR_OK;
}

struct users_walk {
    store_user_fn *visit_user;
    store_device_fn *visit_device;
    void *context;
};

static enum err take_user(void *context, struct bytes key, struct bytes value)
{
    const struct users_walk *walk = context;
    struct bytes uid;
    struct bytes rest;
    enum err err = split_user_key(key, &uid, &rest);
    if (err != ERR_OK) {
        return err;
    }
    bool goes_on = true;
    if (rest.data[0] == 'u' && walk->visit_user != NULL) {
        struct user_row row;
        err = user_row_decode(value, &row);
        goes_on = err != ERR_OK || walk->visit_user(walk->context, uid, &row);
    } else if (rest.data[0] == 'd' && walk->visit_device != NULL) {
        struct device_row row;
        err = rest.size == 2 ? device_row_decode(value, &row) : ERR_CORRUPT;
        const struct device_key device = {.uid = uid, .device_flag = rest.data[rest.size - 1]};
        goes_on = err != ERR_OK || walk->visit_device(walk->context, device, &row);
    }
    return goes_on ? err : ERR_CLOSED;
}

enum err store_browse_users(struct store *store, store_user_fn *visit, void *context)
{
    struct users_walk walk = {.visit_user = visit, .context = context};
    return walk_family(store, FAMILY_USERS, take_user, &walk);
}

enum err store_browse_devices(struct store *store, store_device_fn *visit, void *context)
{
    struct users_walk walk = {.visit_device = visit, .context = context};
    return walk_family(store, FAMILY_USERS, take_user, &walk);
}

/* ---- Conversations. ---- */

struct directory_walk {
    store_conversation_fn *visit;
    void *context;
};

static enum err take_conversation(void *context, struct bytes key, struct bytes value)
{
    const struct directory_walk *walk = context;
    struct directory_key directory;
    struct bytes rest;
    struct directory_row row;
    enum err err = split_user_key(key, &directory.uid, &rest);
    if (err == ERR_OK) {
        err = rest.size < 2 ? ERR_CORRUPT : directory_row_decode(value, &row);
    }
    if (err != ERR_OK) {
        return err;
    }
    directory.channel = (struct channel_name){.type = rest.data[0], .id = bytes_skip(rest, 1)};
    return walk->visit(walk->context, &directory, &row) ? ERR_OK : ERR_CLOSED;
}

enum err store_browse_directory(struct store *store, store_conversation_fn *visit, void *context)
{
    struct directory_walk walk = {.visit = visit, .context = context};
    return walk_family(store, FAMILY_DIRECTORY, take_conversation, &walk);
}
