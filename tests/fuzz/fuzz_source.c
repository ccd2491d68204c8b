/*
 * Any bytes as the answer of a data source, as a list of uids and as a channel's flags: it is taken
 * or refused; what was taken is in order, each uid once and of a size that has a place, and all
 * room is given back.
 */
#include "base/assert.h"
#include "chat/names.h"
#include "edge/source_answer.h"
#include "memory/allocator.h"

#define ROOM_BYTES (8u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_uids(const struct source_uids *uids)
{
    for (uint32_t i = 0; i < uids->count; i++) {
        ASSERT(uids->items[i].size > 0 && uids->items[i].size <= NAME_BYTES_MAX);
        ASSERT(i == 0 || bytes_compare(uids->items[i - 1], uids->items[i]) < 0);
    }
}

static void try_uids(const uint8_t *data, size_t size)
{
    struct budget budget;
    budget_init(&budget, "fuzz", NULL, ROOM_BYTES);
    uint8_t *text = memory_acquire(&budget, MEMORY_RANK_READ, size + 1);
    ASSERT(text != NULL);
    memcpy(text, data, size);
    struct source_uids uids = {.budget = &budget};
    const enum err err = source_uids_read(&uids, (struct source_text){.data = text, .size = size});
    ASSERT(err == ERR_OK || err == ERR_PROTOCOL || err == ERR_BUDGET);
    ASSERT(err == ERR_OK || uids.items == NULL);
    check_uids(&uids);
    source_uids_clear(&uids);
    memory_release(&budget, text, size + 1);
    ASSERT(budget_used(&budget) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > ROOM_BYTES / 8) {
        return 0;
    }
    try_uids(data, size);
    uint32_t flags = 0;
    if (source_flags_read((struct bytes){.data = data, .size = size}, &flags) == ERR_OK) {
        ASSERT((flags & ~SOURCE_INFO_FLAGS) == 0);
    }
    return 0;
}
