/*
 * slot.h -- which of the 4096 fixed fractions of the hash space a channel or a user lives in.
 *
 * A slot is the unit that moves between shards and nodes (design 5). Every stored
 * key begins with its slot, and a message_id carries it, so these functions never
 * change. Both logs of a channel live in the channel's slot.
 */
#pragma once

#include "base/bytes.h"

#define SLOTS_COUNT 4096u

/* A channel by its name: its type and its internal id ("A@B" for a person channel). */
struct channel_name {
    uint8_t type;
    struct bytes id;
};

/* crc32c(type || id), modulo the count of slots. */
uint16_t slot_of_channel(struct channel_name name);

/* crc32c(uid), modulo the count of slots. */
uint16_t slot_of_user(struct bytes uid);
