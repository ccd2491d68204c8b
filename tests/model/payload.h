/*
 * payload.h -- messages that tell which send they come from.
 *
 * A payload is the number of its send in digits, a colon, and filler that follows from the number,
 * up to the size that was asked for. So whoever gets one knows whether it is whole.
 */
#pragma once

#include "base/bytes.h"

#define PAYLOAD_BYTES_MIN 16u

/* Fills `size` bytes, which is at least PAYLOAD_BYTES_MIN. */
void payload_write(uint32_t serial, uint8_t *area, size_t size);

/* The number of the send; checks that the payload is whole. */
uint32_t payload_read(struct bytes payload);
