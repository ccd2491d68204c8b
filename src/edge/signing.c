#include "edge/signing.h"

#include "base/assert.h"
#include "memory/allocator.h"
#include "system/aes_lanes.h"
#include "wire/base64.h"

/* Of each: what is signed over, and the payload, whose base64 is a part of that. */
#define PLAIN_BYTES (SEAL_SIGN_BYTES / 4 * 3)
#define AREA_BYTES  (SEAL_LANES * (SEAL_SIGN_BYTES + PLAIN_BYTES))

enum err signing_open(struct signing *signing, struct budget *budget, uint8_t *texts)
{
    *signing = (struct signing){.area = memory_acquire(budget, MEMORY_RANK_DRAIN, AREA_BYTES)};
    signing->texts = texts;
    return signing->area != NULL ? ERR_OK : ERR_BUDGET;
}

void signing_close(struct signing *signing, struct budget *budget)
{
    memory_release(budget, signing->area, AREA_BYTES);
    signing->area = NULL;
}

static uint8_t *sign_area(const struct signing *signing, uint32_t index)
{
    return signing->area + (size_t)index * SEAL_SIGN_BYTES;
}

static uint8_t *plain_area(const struct signing *signing, uint32_t index)
{
    return signing->area + (size_t)SEAL_LANES * SEAL_SIGN_BYTES + (size_t)index * PLAIN_BYTES;
}

void signing_add(struct signing *signing, const struct crypto_secret *secret,
                 const struct seal_recv *recv, struct bytes plain, const struct seal_place *place)
{
    if (signing->count == SEAL_LANES) {
        signing_finish(signing);
    }
    const uint32_t index = signing->count++;
    ASSERT(crypto_padded_size(plain.size) <= PLAIN_BYTES);
    signing->dues[index] = (struct signing_due){
        .secret = secret,
        .payload = place->payload,
        .msg_key = place->msg_key,
        .plain_size = plain.size,
        .sign_size = seal_sign_recv(recv, sign_area(signing, index)),
    };
    if (plain.size > 0) {
        memcpy(plain_area(signing, index), plain.data, plain.size);
    }
}

/* The payloads of all go to their places, and behind what else is signed over. */
static void finish_payloads(struct signing *signing)
{
    struct aes_lane lanes[SEAL_LANES];
    for (uint32_t i = 0; i < signing->count; i++) {
        uint8_t *area = plain_area(signing, i);
        lanes[i] = (struct aes_lane){
            .secret = signing->dues[i].secret,
            .plain = {.data = area, .size = signing->dues[i].plain_size},
            .cipher = area,
        };
    }
    aes_lanes(lanes, signing->count);
    for (uint32_t i = 0; i < signing->count; i++) {
        struct signing_due *due = &signing->dues[i];
        const struct bytes cipher = {.data = lanes[i].cipher,
                                     .size = crypto_padded_size(due->plain_size)};
        const size_t size = base64_encoded_size(cipher.size);
        base64_encode(cipher, due->payload);
        ASSERT(due->sign_size + size <= SEAL_SIGN_BYTES);
        memcpy(sign_area(signing, i) + due->sign_size, due->payload, size);
        due->sign_size += size;
    }
}

static void finish_keys(struct signing *signing)
{
    struct seal_sign signs[SEAL_LANES];
    uint8_t keys[SEAL_LANES][SEAL_MSG_KEY_CHARS];
    for (uint32_t i = 0; i < signing->count; i++) {
        signs[i] = (struct seal_sign){.secret = signing->dues[i].secret,
                                      .area = sign_area(signing, i),
                                      .size = signing->dues[i].sign_size};
    }
    seal_keys(signs, signing->count, signing->texts, keys);
    for (uint32_t i = 0; i < signing->count; i++) {
        memcpy(signing->dues[i].msg_key, keys[i], sizeof(keys[i]));
    }
}

void signing_finish(struct signing *signing)
{
    if (signing->count == 0) {
        return;
    }
    finish_payloads(signing);
    finish_keys(signing);
    signing->count = 0;
}
