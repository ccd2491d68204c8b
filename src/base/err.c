#include "base/err.h"

const char *err_name(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "ok";
    case ERR_AGAIN:
        return "again";
    case ERR_FULL:
        return "full";
    case ERR_BUDGET:
        return "budget";
    case ERR_LIMIT:
        return "limit";
    case ERR_PROTOCOL:
        return "protocol";
    case ERR_DENIED:
        return "denied";
    case ERR_ABSENT:
        return "absent";
    case ERR_CLOSED:
        return "closed";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_IO:
        return "io";
    }
    return "unknown";
}
