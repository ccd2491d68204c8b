#include "wire/detect.h"

#include "support/test.h"

TEST(a_brace_behind_blanks_is_json)
{
    CHECK_EQ(detect_dialect(BYTES_OF("{")), DETECT_JSONRPC);
    CHECK_EQ(detect_dialect(BYTES_OF(" \t\r\n{\"method\"")), DETECT_JSONRPC);
}

TEST(blanks_alone_decide_nothing)
{
    CHECK_EQ(detect_dialect(BYTES_EMPTY), DETECT_INCOMPLETE);
    CHECK_EQ(detect_dialect(BYTES_OF(" \t\r\n")), DETECT_INCOMPLETE);
}

TEST(anything_else_is_binary)
{
    CHECK_EQ(detect_dialect(BYTES_OF("\x10\x1e")), DETECT_WKPROTO);
    CHECK_EQ(detect_dialect(BYTES_OF("[{")), DETECT_WKPROTO); /* there are no batches */
    CHECK_EQ(detect_dialect(BYTES_OF(" \x10{")), DETECT_WKPROTO);
    CHECK_EQ(detect_dialect(BYTES_OF("\0{")), DETECT_WKPROTO);
}
