#include "store/streams.h"

#include "store/store_private.h"

#define PIECE_KEY_BYTES (sizeof(uint16_t) + sizeof(uint32_t))

/* `key` is behind the stream's prefix. False in `out_goes_on`: the visitor has enough. */
static enum err visit_row(const struct stream_visit *visit, struct bytes key, struct bytes value,
                          bool *out_goes_on)
{
    const struct bytes rest = bytes_skip(key, 1);
    if (key.size > 1 && key.data[0] == KEY_LANE_MARK) {
        struct lane_row row;
        const enum err err = lane_row_decode(value, &row);
        if (err == ERR_OK) {
            *out_goes_on = visit->lane(visit->context, rest, &row);
        }
        return err;
    }
    if (rest.size != PIECE_KEY_BYTES || key.data[0] != KEY_PIECE_MARK) {
        return ERR_CORRUPT;
    }
    struct lane_piece piece = {.lane = bytes_u16_be(rest.data),
                               .index = bytes_u32_be(rest.data + sizeof(uint16_t))};
    const enum err err = piece_row_decode(value, &piece.bytes);
    if (err == ERR_OK) {
        *out_goes_on = visit->piece(visit->context, &piece);
    }
    return err;
}

enum err store_read_stream(struct store *store, const struct stream_ref *stream,
                           const struct stream_visit *visit)
{
    struct scan scan;
    enum err err = key_of_stream(&scan.begin, stream);
    if (err == ERR_OK) {
        err = scan_open_prefix(&scan, store, STORE_MAY_BLOCK, FAMILY_EVENTS);
    }
    if (err != ERR_OK) {
        return err;
    }
    rocksdb_iter_seek_to_first(scan.rows);
    bool goes_on = true;
    while (err == ERR_OK && goes_on && scan_has_row(&scan)) {
        const struct bytes key = bytes_skip(scan_key(&scan), scan.begin.size);
        err = visit_row(visit, key, scan_value(&scan), &goes_on);
        rocksdb_iter_next(scan.rows);
    }
    return scan_close(&scan, err);
}

enum err store_read_stream_of(struct store *store, struct channel_name channel,
                              struct bytes client_msg_no, const struct stream_visit *visit)
{
    struct channel_ref ref;
    const enum err err = store_find_channel(store, STORE_MAY_BLOCK, channel, &ref);
    const struct stream_ref stream = {.channel = ref, .client_msg_no = client_msg_no};
    return err == ERR_OK ? store_read_stream(store, &stream, visit) : err;
}
