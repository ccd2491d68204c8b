#include "cli/bench_message.h"

#include "base/assert.h"
#include "base/prng.h"

#define RUN_CHARS     8u
#define CHANNEL_CHARS 8u
#define INDEX_CHARS   16u

_Static_assert(RUN_CHARS + CHANNEL_CHARS + INDEX_CHARS == BENCH_NO_CHARS, "they fill it");

#define FILLER_SLICES 4096u /* so many senders differ */

static const char hex_digits[] = "0123456789abcdef";

static void write_hex(uint64_t value, uint32_t chars, uint8_t *out_text)
{
    for (uint32_t i = chars; i > 0; i--) {
        out_text[i - 1] = (uint8_t)hex_digits[value & 15];
        value >>= 4;
    }
}

/* False: one of them is no lower-case digit. */
static bool read_hex(const uint8_t *text, uint32_t chars, uint64_t *out_value)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < chars; i++) {
        const uint8_t letter = text[i];
        if (letter >= '0' && letter <= '9') {
            value = value << 4 | (uint64_t)(letter - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value << 4 | (uint64_t)(letter - 'a' + 10);
        } else {
            return false;
        }
    }
    *out_value = value;
    return true;
}

void bench_message_no_write(uint32_t run, struct bench_message_id id,
                            uint8_t out_no[BENCH_NO_CHARS])
{
    write_hex(run, RUN_CHARS, out_no);
    write_hex(id.channel, CHANNEL_CHARS, out_no + RUN_CHARS);
    write_hex(id.index, INDEX_CHARS, out_no + RUN_CHARS + CHANNEL_CHARS);
}

bool bench_message_no_read(uint32_t run, struct bytes no, struct bench_message_id *out_id)
{
    uint64_t its_run = 0;
    uint64_t channel = 0;
    uint64_t index = 0;
    if (no.size != BENCH_NO_CHARS || !read_hex(no.data, RUN_CHARS, &its_run) || its_run != run ||
        !read_hex(no.data + RUN_CHARS, CHANNEL_CHARS, &channel) ||
        !read_hex(no.data + RUN_CHARS + CHANNEL_CHARS, INDEX_CHARS, &index)) {
        return false;
    }
    *out_id = (struct bench_message_id){.channel = (uint32_t)channel, .index = index};
    return true;
}

void bench_filler_init(uint8_t out_filler[BENCH_FILLER_BYTES])
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .";
    struct prng prng;
    prng_init(&prng, 1);
    for (uint32_t i = 0; i < BENCH_FILLER_BYTES; i++) {
        out_filler[i] = (uint8_t)letters[prng_below(&prng, sizeof(letters) - 1)];
    }
}

void bench_payload_front(const uint8_t filler[BENCH_FILLER_BYTES], uint32_t sender, size_t size,
                         uint8_t *out_front)
{
    const struct bytes head = BYTES_OF("{\"type\":1,\"content\":\"");
    ASSERT(size >= head.size + BENCH_TAIL_BYTES);
    const size_t filler_size = size - head.size - BENCH_TAIL_BYTES;
    ASSERT(filler_size + FILLER_SLICES <= BENCH_FILLER_BYTES);
    memcpy(out_front, head.data, head.size);
    memcpy(out_front + head.size, filler + sender % FILLER_SLICES, filler_size);
}

void bench_payload_tail(uint32_t sender, uint64_t index, uint64_t intended_ns,
                        uint8_t out_tail[BENCH_TAIL_BYTES])
{
    const struct bytes form = BYTES_OF("\" ,\"s\":\"01234567\",\"n\":\"0123456789abcdef\","
                                       "\"t\":\"0123456789abcdef\"}");
    ASSERT(form.size == BENCH_TAIL_BYTES);
    memcpy(out_tail, form.data, BENCH_TAIL_BYTES);
    write_hex(sender, 8, out_tail + 8);
    write_hex(index, 16, out_tail + 23);
    write_hex(intended_ns, 16, out_tail + 46);
}
