/*
 * bench_message.h -- what a message of the load generator says about itself.
 *
 * It says it twice. Its client_msg_no, which every server passes on in the clear, is 32 characters
 * like the UUIDs of the SDKs: the number of the run, of the channel, and of the message within it.
 * That is enough to tell loss, doubling and disorder without decrypting anything. Its payload is
 * the text of a JSON object, as clients send it: a filler that differs between senders and, in the
 * last BENCH_TAIL_BYTES, the sender, the number of the message and the time it was meant to be
 * sent. With --verify all of that is decrypted and compared.
 *
 * The filler is at the front so that its cipher is the same for all messages of a connection
 * (bench_seal.h). It does not compress.
 */
#pragma once

#include "base/bytes.h"

#define BENCH_NO_CHARS     32u
#define BENCH_TAIL_BYTES   64u
#define BENCH_FILLER_BYTES 65536u /* to cut payloads of BENCH_PAYLOAD_BYTES_MAX from */

/* Which message of a run. */
struct bench_message_id {
    uint32_t channel; /* an index into the run's channels */
    uint64_t index;   /* within the channel, from 0, in the order of sending */
};

void bench_message_no_write(uint32_t run, struct bench_message_id id,
                            uint8_t out_no[BENCH_NO_CHARS]);

/* Reads it again. False: it is not a number of this run. */
bool bench_message_no_read(uint32_t run, struct bytes no, struct bench_message_id *out_id);

/* Fills the area that fillers are cut from; the same for every run. */
void bench_filler_init(uint8_t out_filler[BENCH_FILLER_BYTES]);

/* Writes the front of a payload of `size` bytes: all but its last BENCH_TAIL_BYTES. */
void bench_payload_front(const uint8_t filler[BENCH_FILLER_BYTES], uint32_t sender, size_t size,
                         uint8_t *out_front);

/* Writes its last BENCH_TAIL_BYTES. */
void bench_payload_tail(uint32_t sender, uint64_t index, uint64_t intended_ns,
                        uint8_t out_tail[BENCH_TAIL_BYTES]);
