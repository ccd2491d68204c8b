#include "edge/signing.h"

#include "base/assert.h"
#include "edge/seal.h"
#include "memory/allocator.h"

#define AREA_BYTES  (MD5_LANES * SIGNING_TEXT_BYTES)
#define WORTH_LANES 3u /* fewer are done sooner one by one */

enum err signing_open(struct signing *signing, struct budget *budget)
{
    *signing = (struct signing){.area = memory_acquire(budget, MEMORY_RANK_DRAIN, AREA_BYTES)};
    return signing->area != NULL ? ERR_OK : ERR_BUDGET;
}

void signing_close(struct signing *signing, struct budget *budget)
{
    memory_release(budget, signing->area, AREA_BYTES);
    signing->area = NULL;
}

uint8_t *signing_room(struct signing *signing)
{
    if (signing->count == MD5_LANES) {
        signing_finish(signing);
    }
    return signing->area + (size_t)signing->count * SIGNING_TEXT_BYTES;
}

void signing_add(struct signing *signing, size_t size, uint8_t *place)
{
    ASSERT(size <= SIGNING_TEXT_BYTES);
    const struct bytes text = {.data = signing_room(signing), .size = size};
    signing->texts[signing->count] = text;
    signing->places[signing->count] = place;
    signing->count++;
}

void signing_finish(struct signing *signing)
{
    if (signing->count == 0) {
        return;
    }
    uint8_t digests[MD5_LANES][MD5_DIGEST_BYTES];
    if (signing->count < WORTH_LANES) {
        for (uint32_t i = 0; i < signing->count; i++) {
            crypto_md5(signing->texts[i], digests[i]);
        }
    } else {
        md5_lanes(signing->texts, signing->count, digests);
    }
    for (uint32_t i = 0; i < signing->count; i++) {
        seal_write_key(digests[i], signing->places[i]);
    }
    signing->count = 0;
}
