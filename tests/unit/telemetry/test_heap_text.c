#include "telemetry/heap_text.h"

#include "support/test.h"

#include <string.h>

static char later[] = "heap_v2/524288\n"
                      "  t*: 3: 300 [7: 700]\n"
                      "  t0: 3: 300 [7: 700]\n"
                      "@ 0x10 0x20\n"
                      "  t*: 2: 200 [4: 400]\n"
                      "  t0: 2: 200 [4: 400]\n"
                      "@ 0x30\n"
                      "  t*: 1: 100 [3: 300]\n"
                      "\n"
                      "MAPPED_LIBRARIES:\n"
                      "10-20 r-xp 00000000 00:00 0 /bin/x\n";

static FILE *open_text(char *text)
{
    FILE *file = fmemopen(text, strlen(text), "r");
    CHECK(file != NULL);
    return file;
}

TEST(a_dump_becomes_one_line_for_each_stack)
{
    FILE *dump = open_text(later);
    uint8_t area[1024];
    struct writer out = writer_of(area, sizeof(area));
    CHECK_OK(heap_text_begin(dump, &out));
    CHECK_OK(heap_text_stacks(dump, false, &out));
    CHECK_BYTES(writer_bytes(&out), BYTES_OF("heap profile: 3: 300 [7: 700] @ heap_v2/524288\n"
                                             "2: 200 [4: 400] @ 0x10 0x20\n"
                                             "1: 100 [3: 300] @ 0x30\n"));
    fclose(dump);
}

TEST(a_base_is_taken_off_as_negative_counts)
{
    FILE *dump = open_text(later);
    uint8_t area[1024];
    struct writer out = writer_of(area, sizeof(area));
    CHECK_OK(heap_text_stacks(dump, true, &out));
    CHECK_BYTES(writer_bytes(&out), BYTES_OF("-2: -200 [0: 0] @ 0x10 0x20\n"
                                             "-1: -100 [0: 0] @ 0x30\n"));
    fclose(dump);
}

TEST(what_is_no_dump_is_refused)
{
    static char texts[][40] = {"x", "heap_v2/\n", "heap_v2/524288\n", "heap_v2/524288\n  t*: 1\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        FILE *dump = open_text(texts[i]);
        uint8_t area[256];
        struct writer out = writer_of(area, sizeof(area));
        CHECK_EQ(heap_text_begin(dump, &out), ERR_PROTOCOL);
        CHECK_EQ(heap_text_stacks(dump, false, &out), ERR_PROTOCOL); /* no maps, so it was cut */
        fclose(dump);
    }
}
