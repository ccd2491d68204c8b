#include "edge/browse_page.h"

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 300u

static struct browse_row rows[BROWSE_LIMIT_MAX];
static uint64_t expected[ROWS_MAX];

static int newest_first(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x > y ? -1 : (x < y ? 1 : 0);
}

static void offer_all(struct browse_page *page, const uint64_t *created_ms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%u", i);
        const struct browse_row row = {.created_ms = created_ms[i]};
        browse_page_offer(page, &row, bytes_of_string(name));
    }
}

/* Whatever the order of the rows and their times: pages one behind the other show each row once,
 * newest first, and the way back is the same. */
TEST(pages_show_every_row_once_and_back_is_the_same)
{
    for (uint32_t round = 0; round < 40; round++) {
        uint64_t created_ms[ROWS_MAX];
        const uint32_t count = 1 + (uint32_t)prng_below(prng, ROWS_MAX - 1);
        for (uint32_t i = 0; i < count; i++) {
            created_ms[i] = 1 + prng_below(prng, 20); /* many at once */
        }
        uint32_t seen = 0;
        const uint32_t limit = 1 + (uint32_t)prng_below(prng, 30);
        uint64_t offset_ns = 0;
        for (;;) {
            struct browse_page page = {.limit = limit, .offset_ns = offset_ns, .rows = rows};
            offer_all(&page, created_ms, count);
            for (uint32_t i = 0; i < page.count; i++) {
                CHECK(seen < ROWS_MAX);
                expected[seen++] = browse_page_row(&page, i)->created_ns;
            }
            CHECK_EQ(page.has_more, seen < count);
            if (!page.has_more) {
                break;
            }
            offset_ns = expected[seen - 1];
        }
        CHECK_EQ(seen, count);
        uint64_t sorted[ROWS_MAX];
        memcpy(sorted, expected, sizeof(sorted));
        qsort(sorted, count, sizeof(sorted[0]), newest_first);
        CHECK(memcmp(sorted, expected, count * sizeof(sorted[0])) == 0);

        const uint32_t from = (uint32_t)prng_below(prng, count);
        struct browse_page back = {
            .limit = limit, .offset_ns = expected[from], .is_back = true, .rows = rows};
        offer_all(&back, created_ms, count);
        CHECK_EQ(back.count, from < limit ? from : limit);
        for (uint32_t i = 0; i < back.count; i++) {
            CHECK_EQ(browse_page_row(&back, i)->created_ns, expected[from - back.count + i]);
        }
    }
}

TEST(a_name_that_is_too_long_for_a_row_is_left_out)
{
    static uint8_t name[STORE_CHANNEL_ID_BYTES_MAX + 1];
    struct browse_page page = {.limit = 2, .rows = rows};
    const struct browse_row row = {.created_ms = 1};
    browse_page_offer(&page, &row, (struct bytes){.data = name, .size = sizeof(name)});
    CHECK_EQ(page.count, 0);
    browse_page_offer(&page, &row, (struct bytes){.data = name, .size = sizeof(name) - 1});
    CHECK_EQ(page.count, 1);
}
