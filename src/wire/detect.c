#include "wire/detect.h"

enum detect_result detect_dialect(struct bytes stream)
{
    for (size_t i = 0; i < stream.size; i++) {
        const uint8_t byte = stream.data[i];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return byte == '{' ? DETECT_JSONRPC : DETECT_WKPROTO;
        }
    }
    return DETECT_INCOMPLETE;
}
