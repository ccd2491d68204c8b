#include "store/message_log.h"

#include "base/assert.h"
#include "store/log_walk.h"
#include "store/message_id.h"

/* Last seqs. */

enum err store_last_seq(struct store *store, enum store_wait wait, struct log_ref log,
                        uint64_t *out_seq)
{
    struct log_walk walk;
    enum err err = walk_open(&walk, store, wait, log);
    if (err != ERR_OK) {
        return err;
    }
    err = scan_close(&walk.scan, walk_last(&walk));
    if (err == ERR_OK) {
        *out_seq = walk_last_seq(&walk);
    }
    return err;
}

/* Ranges. */

/* What is left of the limits of a range. */
struct range_rest {
    uint32_t count;
    uint64_t bytes;
    bool is_first;
};

static struct range_rest range_rest(const struct message_range *range)
{
    return (struct range_rest){
        .count = range->count_max, .bytes = range->bytes_max, .is_first = true};
}

/* Takes a row off what is left; false: the row does not belong to the answer any more. */
static bool range_spend(struct range_rest *rest, struct bytes row)
{
    if (rest->count == 0 || (!rest->is_first && row.size > rest->bytes)) {
        return false;
    }
    rest->is_first = false;
    rest->count--;
    rest->bytes -= row.size < rest->bytes ? row.size : rest->bytes;
    return true;
}

/* Visits `seq` of the chunk in hand. False: the walk ends here, with *out_err. */
static bool walk_visit(const struct log_walk *walk, const struct message_range *range, uint64_t seq,
                       enum err *out_err)
{
    struct bytes row;
    struct message_view view;
    *out_err = walk_message(walk, seq, &row, &view);
    return *out_err == ERR_OK && range->visit(range->context, &view, row);
}

/* From `seq_min` up to `seq_max`, while the limits allow. */
static enum err range_ascend(struct log_walk *walk, const struct message_range *range,
                             uint64_t seq_min, uint64_t seq_max)
{
    enum err err = walk_seek_from(walk, seq_min);
    struct range_rest rest = range_rest(range);
    while (err == ERR_OK && walk->has_chunk && walk->chunk.first_seq <= seq_max) {
        const struct chunk *chunk = &walk->chunk;
        uint64_t seq = chunk->first_seq < seq_min ? seq_min : chunk->first_seq;
        for (; seq <= chunk_last_seq(chunk) && seq <= seq_max; seq++) {
            if (!range_spend(&rest, chunk_row(chunk, (uint32_t)(seq - chunk->first_seq))) ||
                !walk_visit(walk, range, seq, &err)) {
                return err;
            }
        }
        if (rest.count == 0) {
            break;
        }
        err = walk_next(walk);
    }
    return err;
}

/* Through the chunk in hand, from its newest message down. False: the walk ends there. */
static bool chunk_descend(const struct log_walk *walk, const struct message_range *range,
                          struct range_rest *rest, enum err *out_err)
{
    const struct chunk *chunk = &walk->chunk;
    const uint64_t last_seq = chunk_last_seq(chunk);
    uint64_t seq = last_seq < range->seq_max ? last_seq : range->seq_max;
    for (; seq >= chunk->first_seq && seq >= range->seq_min; seq--) {
        if (!range_spend(rest, chunk_row(chunk, (uint32_t)(seq - chunk->first_seq))) ||
            !walk_visit(walk, range, seq, out_err)) {
            return false;
        }
    }
    return rest->count > 0;
}

static enum err range_descend(struct log_walk *walk, const struct message_range *range)
{
    enum err err = walk_seek(walk, range->seq_max);
    struct range_rest rest = range_rest(range);
    while (err == ERR_OK && walk->has_chunk && chunk_last_seq(&walk->chunk) >= range->seq_min) {
        if (!chunk_descend(walk, range, &rest, &err)) {
            return err;
        }
        err = walk_previous(walk);
    }
    return err;
}

/* Which messages are the newest of the range that the limits allow: walks down over the sizes only.
 * An empty answer is first above last. */
static enum err range_newest(struct log_walk *walk, const struct message_range *range,
                             uint64_t *out_first, uint64_t *out_last)
{
    *out_first = 1;
    *out_last = 0;
    enum err err = walk_seek(walk, range->seq_max);
    struct range_rest rest = range_rest(range);
    while (err == ERR_OK && walk->has_chunk && chunk_last_seq(&walk->chunk) >= range->seq_min) {
        const struct chunk *chunk = &walk->chunk;
        const uint64_t last_seq = chunk_last_seq(chunk);
        uint64_t seq = last_seq < range->seq_max ? last_seq : range->seq_max;
        for (; seq >= chunk->first_seq && seq >= range->seq_min; seq--) {
            if (!range_spend(&rest, chunk_row(chunk, (uint32_t)(seq - chunk->first_seq)))) {
                return ERR_OK;
            }
            *out_last = *out_last == 0 ? seq : *out_last;
            *out_first = seq;
        }
        if (rest.count == 0) {
            break;
        }
        err = walk_previous(walk);
    }
    return err;
}

static enum err range_read(struct log_walk *walk, const struct message_range *range)
{
    uint64_t first = 0;
    uint64_t last = 0;
    enum err err = ERR_OK;
    switch (range->order) {
    case MESSAGES_OLDEST_ASCENDING:
        return range_ascend(walk, range, range->seq_min, range->seq_max);
    case MESSAGES_NEWEST_DESCENDING:
        return range_descend(walk, range);
    case MESSAGES_NEWEST_ASCENDING:
        err = range_newest(walk, range, &first, &last);
        if (err == ERR_OK && first <= last) {
            struct message_range all = *range;
            all.bytes_max = UINT32_MAX; /* the limits have chosen `first` already */
            err = range_ascend(walk, &all, first, last);
        }
        return err;
    }
    UNREACHABLE();
}

/* Does the range want nothing beyond its newest chunk, and is it known which that is? */
static bool range_is_of_end(const struct message_range *range)
{
    return range->order == MESSAGES_NEWEST_DESCENDING && range->end_count > 0 &&
           range->end_count <= range->seq_max &&
           (range->count_max <= range->end_count ||
            range->seq_min > range->seq_max - range->end_count);
}

/* The same as range_descend for such a range: one look-up. ERR_ABSENT: there is no such chunk. */
static enum err range_read_end(struct store *store, enum store_wait wait,
                               const struct message_range *range)
{
    struct key key;
    key_of_chunk(&key, range->log, range->seq_max - range->end_count + 1);
    struct pin pin;
    enum err err = store_pin(store, wait, FAMILY_MESSAGES, key_bytes(&key), &pin);
    if (err != ERR_OK) {
        return err;
    }
    struct log_walk walk; /* that goes nowhere */
    walk.log = range->log;
    walk.has_chunk = true;
    err = chunk_decode(key_bytes(&key), pin.value, &walk.chunk);
    if (err == ERR_OK && walk.chunk.count != range->end_count) {
        err = ERR_ABSENT; /* written anew since then */
    }
    if (err == ERR_OK) {
        struct range_rest rest = range_rest(range);
        (void)chunk_descend(&walk, range, &rest, &err);
    }
    return store_unpin(&pin, err);
}

enum err store_read_messages(struct store *store, enum store_wait wait,
                             const struct message_range *range)
{
    ASSERT(range->count_max > 0);
    if (range->seq_min > range->seq_max || range->seq_max == 0) {
        return ERR_OK;
    }
    struct message_range checked = *range;
    checked.seq_min = checked.seq_min == 0 ? 1 : checked.seq_min;
    if (range_is_of_end(&checked)) {
        const enum err err = range_read_end(store, wait, &checked);
        if (err != ERR_ABSENT) {
            return err;
        }
    }
    struct log_walk walk;
    const enum err err = walk_open(&walk, store, wait, range->log);
    return err == ERR_OK ? scan_close(&walk.scan, range_read(&walk, &checked)) : err;
}

/* Ids. */

/* Finds the id in the chunk in hand. Sets *out_order to where the id must be looked for: below 0
 * before the chunk, above behind it, 0 inside; *out_seq to its seq, 0 if it is missing inside. */
static enum err chunk_search(const struct log_walk *walk, uint64_t message_id, int *out_order,
                             uint64_t *out_seq)
{
    uint64_t low = walk->chunk.first_seq;
    uint64_t high = chunk_last_seq(&walk->chunk);
    const uint64_t first = low;
    const uint64_t last = high;
    *out_seq = 0;
    *out_order = 0;
    while (low <= high) {
        const uint64_t seq = low + (high - low) / 2;
        struct bytes row;
        struct message_view view;
        const enum err err = walk_message(walk, seq, &row, &view);
        if (err != ERR_OK) {
            return err;
        }
        if (view.message_id == message_id) {
            *out_seq = seq;
            return ERR_OK;
        }
        if (view.message_id < message_id) {
            low = seq + 1;
        } else {
            high = seq - 1;
        }
    }
    *out_order = high < first ? -1 : (low > last ? 1 : 0);
    return ERR_OK;
}

/* Ids ascend with the seq, so the log is searched by halving: if it is there, it is in low … high.
 * The last chunk comes first, since most logs that are searched end before the id. */
static enum err log_search(struct log_walk *walk, uint64_t message_id, uint64_t *out_seq)
{
    *out_seq = 0;
    enum err err = walk_last(walk);
    uint64_t low = 1;
    uint64_t high = walk_last_seq(walk);
    uint64_t probe = high;
    while (err == ERR_OK && low <= high) {
        if (!walk->has_chunk) {
            low = probe + 1; /* the beginning of the log was cut off */
        } else if (chunk_last_seq(&walk->chunk) < low) {
            return ERR_CORRUPT; /* a gap */
        } else {
            int order = 0;
            err = chunk_search(walk, message_id, &order, out_seq);
            if (err != ERR_OK || order == 0) {
                return err;
            }
            low = order > 0 ? chunk_last_seq(&walk->chunk) + 1 : low;
            high = order < 0 ? walk->chunk.first_seq - 1 : high;
        }
        probe = low + (high - low) / 2;
        err = low <= high ? walk_seek(walk, probe) : ERR_OK;
    }
    return err;
}

static enum err search_in_log(struct store *store, struct log_ref log, uint64_t message_id,
                              uint64_t *out_seq)
{
    struct log_walk walk;
    const enum err err = walk_open(&walk, store, STORE_MAY_BLOCK, log);
    return err == ERR_OK ? scan_close(&walk.scan, log_search(&walk, message_id, out_seq)) : err;
}

enum err store_find_message_in_channel(struct store *store, struct channel_ref channel,
                                       uint64_t message_id, struct message_place *out_place)
{
    for (int kind = LOG_CHAT; kind <= LOG_COMMAND; kind++) {
        const struct log_ref log = {.channel = channel, .kind = (enum log_kind)kind};
        uint64_t seq = 0;
        const enum err err = search_in_log(store, log, message_id, &seq);
        if (err != ERR_OK) {
            return err;
        }
        if (seq != 0) {
            *out_place = (struct message_place){.log = log, .seq = seq};
            return ERR_OK;
        }
    }
    return ERR_ABSENT;
}

enum err store_find_message_by_id(struct store *store, uint64_t message_id,
                                  struct message_place *out_place)
{
    const uint16_t slot = message_id_slot(message_id);
    struct scan scan;
    key_of_slot(&scan.begin, slot);
    enum err err = scan_open_prefix(&scan, store, STORE_MAY_BLOCK, FAMILY_NUMBERS);
    if (err != ERR_OK) {
        return err;
    }
    err = ERR_ABSENT;
    /* The newest channels first: they are the likelier ones to be asked for. */
    rocksdb_iter_seek_to_last(scan.rows);
    for (uint32_t i = 0; err == ERR_ABSENT && scan_has_row(&scan); i++) {
        const struct bytes key = scan_key(&scan);
        if (i == STORE_ID_SEARCH_CHANNELS_MAX) {
            err = ERR_LIMIT;
        } else if (key.size != KEY_CHANNEL_PREFIX_BYTES) {
            err = ERR_CORRUPT;
        } else {
            const struct channel_ref channel = {.slot = slot, .number = bytes_u32_be(key.data + 2)};
            err = store_find_message_in_channel(store, channel, message_id, out_place);
            rocksdb_iter_prev(scan.rows);
        }
    }
    const enum err scan_err = scan_close(&scan, ERR_OK);
    return err == ERR_ABSENT && scan_err != ERR_OK ? scan_err : err;
}
