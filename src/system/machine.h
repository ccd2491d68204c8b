/*
 * machine.h -- what kind of machine this is.
 */
#pragma once

#include <stdint.h>

#define MACHINE_TEXT_MAX 256

struct machine_facts {
    char home[MACHINE_TEXT_MAX];       /* of the user; "" when unknown */
    char private_ip[MACHINE_TEXT_MAX]; /* the first private IPv4 address that is not loopback; or ""
                                        */
    uint32_t cores_count;
};

void machine_facts(struct machine_facts *out_facts);
