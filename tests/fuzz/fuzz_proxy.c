/*
 * Any bytes at the beginning of a connection: the decision does not depend on how many of them come
 * at once.
 */
#include "base/assert.h"
#include "wire/detect.h"
#include "wire/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header = {.size = 0};
    const enum proxy_result whole =
        proxy_decode((struct bytes){.data = data, .size = size}, &header);
    if (whole == PROXY_FOUND) {
        ASSERT(header.size > 0);
        ASSERT(header.size <= size);
        ASSERT(header.size <= PROXY_BYTES_MAX);
    }
    bool is_decided = false;
    for (size_t part = 0; part <= size && part <= PROXY_BYTES_MAX; part++) {
        struct proxy_header early = {.size = 0};
        const enum proxy_result result =
            proxy_decode((struct bytes){.data = data, .size = part}, &early);
        ASSERT(!is_decided || result != PROXY_INCOMPLETE);
        is_decided = result != PROXY_INCOMPLETE;
        if (is_decided) {
            ASSERT(result == whole);
            ASSERT(early.size == header.size);
            ASSERT(early.source_port == header.source_port);
            ASSERT(memcmp(early.source_ip, header.source_ip, sizeof(early.source_ip)) == 0);
        }
    }
    const enum detect_result dialect = detect_dialect((struct bytes){.data = data, .size = size});
    ASSERT(dialect != DETECT_JSONRPC || bytes_contain((struct bytes){data, size}, '{'));
    return 0;
}
