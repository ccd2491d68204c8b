#include "store/slot.h"

#include "base/hash.h"

uint16_t slot_of_channel(struct channel_name name)
{
    const uint32_t type = hash_crc32c(0, (struct bytes){.data = &name.type, .size = 1});
    return (uint16_t)(hash_crc32c(type, name.id) & (SLOTS_COUNT - 1));
}

uint16_t slot_of_user(struct bytes uid)
{
    return (uint16_t)(hash_crc32c(0, uid) & (SLOTS_COUNT - 1));
}
