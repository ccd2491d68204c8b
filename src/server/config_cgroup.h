/*
 * config_cgroup.h -- how much memory this process may have, as its container was told.
 */
#pragma once

#include <stdint.h>

/* The smallest limit of the control groups (version 2, else 1) that hold this process, in bytes;
 * 0: there is none, or it cannot be read. `root` is "" but for tests, which bring their own /proc
 * and /sys. */
uint64_t config_cgroup_limit(const char *root);
