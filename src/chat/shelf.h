/*
 * shelf.h -- what is known of channels that had to leave memory, in 32 bytes each.
 *
 * A channel's object takes some hundred bytes, and when more channels are used in turn than
 * fit, each is gone before it is wanted again. To read one costs a look-up in RocksDB or two,
 * perhaps on a reader; so what was read is put on the shelf when the object goes, and taken
 * from there when it comes back. An object is never on the shelf and in memory at once, and
 * all that changes a channel goes through its object: so what is on the shelf is true.
 *
 * The shelf is a table of sets, as large as its budget allows; the oldest of a set goes first.
 * It is made when the first channel leaves, and given up when nobody has used it for a while.
 *
 * Names are compared by their keyed hashes of 64 bits: nobody can choose collisions, and a
 * chance one is as likely as damage that no checksum finds.
 *
 * One shard.
 */
#pragma once

#include "memory/budget.h"
#include "store/row.h"

#include <stdbool.h>

struct shelf_set;

/* Private to shelf.c. */
struct shelf {
    struct shelf_set *sets; /* NULL: nothing was put there */
    uint64_t sets_count;
    uint64_t puts_count;
    uint64_t used_ms; /* the last time that something was put or taken */
    struct budget *budget;
};

void shelf_init(struct shelf *shelf, struct budget *budget);

/* Forgets everything, and gives the memory back. */
void shelf_clear(struct shelf *shelf);

/* Nothing is in flight of the channel, which is stored and is as `state` says. It may be forgotten
 * at any time, at once too. */
void shelf_put(struct shelf *shelf, uint64_t hash, const struct channel_state *state,
               uint64_t now_ms);

/* True: the channel is as `out_state` says, and is not on the shelf any more. */
bool shelf_take(struct shelf *shelf, uint64_t hash, uint16_t slot, uint64_t now_ms,
                struct channel_state *out_state);
