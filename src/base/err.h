/*
 * err.h -- the dozen things that can go wrong for a correct program.
 *
 * An error tells the caller what to do next. It is a value, returned; results
 * come through `out_` parameters, set on success and untouched on failure.
 * `errno` and the strings of libraries are translated where they enter.
 */
#pragma once

#include "base/compiler.h"

enum err {
    ERR_OK = 0,
    ERR_AGAIN,    /* not now; a wake-up or more bytes will come */
    ERR_FULL,     /* a queue or table is at its limit */
    ERR_BUDGET,   /* the memory budget refused */
    ERR_LIMIT,    /* the request itself is larger than we ever accept */
    ERR_PROTOCOL, /* the peer sent what it must not */
    ERR_DENIED,   /* understood, and not allowed */
    ERR_ABSENT,   /* the thing named does not exist */
    ERR_CLOSED,   /* the other side has gone */
    ERR_CORRUPT,  /* stored bytes failed their check */
    ERR_IO,       /* the system failed us */
};

/* A word for logs: "ok", "again", "full" and so on. Never NULL. */
const char *err_name(enum err err);

/* Drops an error on purpose. The reason is a required argument. */
#define ERR_IGNORE(expression, reason)                                                             \
    do {                                                                                           \
        if ((expression) != ERR_OK) {                                                              \
            (void)sizeof(reason);                                                                  \
        }                                                                                          \
    } while (0)
