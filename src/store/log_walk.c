#include "store/log_walk.h"

#include "base/assert.h"

enum err walk_take(struct log_walk *walk)
{
    walk->has_chunk = scan_has_row(&walk->scan);
    if (!walk->has_chunk) {
        return ERR_OK;
    }
    return chunk_decode(scan_key(&walk->scan), scan_value(&walk->scan), &walk->chunk);
}

enum err walk_open(struct log_walk *walk, struct store *store, enum store_wait wait,
                   struct log_ref log)
{
    walk->log = log;
    walk->has_chunk = false;
    key_of_log(&walk->scan.begin, log);
    return scan_open_prefix(&walk->scan, store, wait, FAMILY_MESSAGES);
}

enum err walk_first(struct log_walk *walk)
{
    rocksdb_iter_seek_to_first(walk->scan.rows);
    return walk_take(walk);
}

enum err walk_last(struct log_walk *walk)
{
    rocksdb_iter_seek_to_last(walk->scan.rows);
    return walk_take(walk);
}

enum err walk_seek(struct log_walk *walk, uint64_t seq)
{
    struct key key;
    key_of_chunk(&key, walk->log, seq);
    scan_seek_back(&walk->scan, &key);
    return walk_take(walk);
}

enum err walk_seek_from(struct log_walk *walk, uint64_t seq)
{
    enum err err = walk_seek(walk, seq);
    if (err == ERR_OK && !walk->has_chunk) {
        return walk_first(walk);
    }
    if (err == ERR_OK && chunk_last_seq(&walk->chunk) < seq) {
        return walk_next(walk);
    }
    return err;
}

enum err walk_next(struct log_walk *walk)
{
    const uint64_t last_seq = chunk_last_seq(&walk->chunk);
    rocksdb_iter_next(walk->scan.rows);
    const enum err err = walk_take(walk);
    if (err == ERR_OK && walk->has_chunk && walk->chunk.first_seq != last_seq + 1) {
        return ERR_CORRUPT;
    }
    return err;
}

enum err walk_previous(struct log_walk *walk)
{
    const uint64_t first_seq = walk->chunk.first_seq;
    rocksdb_iter_prev(walk->scan.rows);
    const enum err err = walk_take(walk);
    if (err == ERR_OK && walk->has_chunk && chunk_last_seq(&walk->chunk) != first_seq - 1) {
        return ERR_CORRUPT;
    }
    return err;
}

enum err walk_message(const struct log_walk *walk, uint64_t seq, struct bytes *out_row,
                      struct message_view *out_view)
{
    ASSERT(seq >= walk->chunk.first_seq);
    ASSERT(seq <= chunk_last_seq(&walk->chunk));
    const struct bytes row = chunk_row(&walk->chunk, (uint32_t)(seq - walk->chunk.first_seq));
    const enum err err = message_row_decode(row, out_view);
    *out_row = row;
    return err == ERR_OK && out_view->seq != seq ? ERR_CORRUPT : err;
}
