#include "edge/http_framing.h"

#include "base/bytes.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* What the headers say of where the request goes and where it ends. */
struct framing {
    uint32_t hosts_count;
    uint32_t codings_count;
    bool is_other_coding; /* than chunked */
    bool has_length;
    bool is_length_unclear; /* there are several, and they differ */
    struct bytes length;
};

static void see_length(struct framing *framing, struct bytes length)
{
    framing->is_length_unclear |= framing->has_length && !bytes_equal(framing->length, length);
    framing->has_length = true;
    framing->length = length;
}

static void see_coding(struct framing *framing, struct bytes coding)
{
    static const char chunked[] = "chunked";
    framing->codings_count++;
    framing->is_other_coding |= coding.size != sizeof(chunked) - 1 ||
                                strncasecmp((const char *)coding.data, chunked, coding.size) != 0;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result see_header(void *context, enum MHD_ValueKind kind, const char *key,
                                  size_t key_size, const char *value, size_t value_size)
{
    (void)kind;
    (void)key_size;
    struct framing *framing = context;
    const struct bytes text = {.data = (const uint8_t *)value,
                               .size = value != NULL ? value_size : 0};
    if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
        framing->hosts_count++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        see_length(framing, text);
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        see_coding(framing, text);
    }
    return MHD_YES;
}

const char *http_framing_fault(struct MHD_Connection *connection, const char *version)
{
    struct framing framing = {.hosts_count = 0};
    const bool is_old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, see_header, &framing);
    if (framing.hosts_count > 1 || (framing.hosts_count == 0 && !is_old)) {
        return "one header Host is required";
    }
    if (framing.is_length_unclear) {
        return "there are several headers Content-Length, and they differ";
    }
    if (framing.codings_count == 0) {
        return NULL;
    }
    if (framing.has_length) {
        return "there are Content-Length and Transfer-Encoding";
    }
    const bool is_chunked = framing.codings_count == 1 && !framing.is_other_coding && !is_old;
    return is_chunked ? NULL : "the Transfer-Encoding is not supported";
}
