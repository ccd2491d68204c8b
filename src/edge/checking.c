#include "edge/checking.h"

#include "base/assert.h"
#include "edge/conn.h"
#include "edge/edge.h"
#include "edge/gate.h"
#include "memory/allocator.h"

#define AREA_BYTES (SEAL_LANES * SEAL_SIGN_BYTES)

enum err checking_open(struct checking *checking, struct budget *budget, uint8_t *texts)
{
    *checking = (struct checking){.area = memory_acquire(budget, MEMORY_RANK_DRAIN, AREA_BYTES)};
    checking->texts = texts;
    return checking->area != NULL ? ERR_OK : ERR_BUDGET;
}

void checking_close(struct checking *checking, struct budget *budget)
{
    ASSERT(checking->count == 0);
    memory_release(budget, checking->area, AREA_BYTES);
    checking->area = NULL;
}

static uint8_t *sign_area(const struct checking *checking, uint32_t index)
{
    return checking->area + (size_t)index * SEAL_SIGN_BYTES;
}

void checking_add(struct edge *edge, const struct conn *conn, const struct checking_send *read)
{
    struct checking *checking = &edge->checking;
    if (checking->count == SEAL_LANES) {
        checking_finish(edge);
    }
    const uint32_t index = checking->count++;
    struct checking_due *due = &checking->dues[index];
    *due = (struct checking_due){
        .send = read->send,
        .secret = &conn->secret,
        .sign_size = seal_sign_send(&read->signed_over, sign_area(checking, index)),
        .is_readable = read->is_readable,
    };
    if (read->msg_key.size == sizeof(due->msg_key)) {
        memcpy(due->msg_key, read->msg_key.data, sizeof(due->msg_key));
    }
}

void checking_finish(struct edge *edge)
{
    struct checking *checking = &edge->checking;
    const uint32_t count = checking->count;
    if (count == 0) {
        return;
    }
    struct seal_sign signs[SEAL_LANES];
    uint8_t keys[SEAL_LANES][SEAL_MSG_KEY_CHARS];
    for (uint32_t i = 0; i < count; i++) {
        signs[i] = (struct seal_sign){.secret = checking->dues[i].secret,
                                      .area = sign_area(checking, i),
                                      .size = checking->dues[i].sign_size};
    }
    seal_keys(signs, count, checking->texts, keys);
    checking->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct checking_due *due = &checking->dues[i];
        const struct bytes expected = {.data = keys[i], .size = sizeof(keys[i])};
        const struct bytes given = {.data = due->msg_key, .size = sizeof(due->msg_key)};
        if (crypto_equal(expected, given) && due->is_readable) {
            gate_post(edge, due->send);
        } else {
            gate_refuse_unreadable(edge, due->send);
        }
    }
}
