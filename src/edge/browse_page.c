#include "edge/browse_page.h"

#include "base/assert.h"
#include "base/hash.h"

#define NS_PER_MS 1000000u

/* Below 0: `a` belongs more to the page than `b`: it is nearer to where the page begins. */
static int compare(const struct browse_page *page, uint64_t a_ns, uint64_t b_ns)
{
    if (a_ns == b_ns) {
        return 0;
    }
    const bool is_older = a_ns < b_ns;
    return is_older == page->is_back ? -1 : 1;
}

/* The place in the order, which is that of the time, newest first. */
static uint32_t place_of(const struct browse_page *page, uint64_t created_ns)
{
    uint32_t place = 0;
    while (place < page->count && browse_page_row(page, place)->created_ns > created_ns) {
        place++;
    }
    return place;
}

/* Takes the row that belongs least out; where it was may be used again. */
static uint16_t drop_worst(struct browse_page *page)
{
    const uint32_t worst = page->is_back ? 0 : page->count - 1;
    const uint16_t freed = page->order[worst];
    page->count--;
    memmove(&page->order[worst], &page->order[worst + 1],
            (page->count - worst) * sizeof(page->order[0]));
    return freed;
}

void browse_page_offer(struct browse_page *page, const struct browse_row *row, struct bytes name)
{
    ASSERT(page->limit > 0 && page->limit <= BROWSE_LIMIT_MAX);
    if (name.size > sizeof(row->name)) {
        return;
    }
    const uint64_t created_ns =
        row->created_ms * NS_PER_MS + (hash_fnv1a64(name) ^ row->tag) % NS_PER_MS;
    const bool is_out = page->offset_ns != 0 && (page->is_back ? created_ns <= page->offset_ns
                                                               : created_ns >= page->offset_ns);
    if (is_out) {
        return;
    }
    uint16_t index = (uint16_t)page->count;
    if (page->count == page->limit) {
        page->has_more = true;
        const uint32_t worst = page->is_back ? 0 : page->count - 1;
        if (compare(page, created_ns, browse_page_row(page, worst)->created_ns) >= 0) {
            return;
        }
        index = drop_worst(page);
    }
    struct browse_row *kept = &page->rows[index];
    *kept = *row;
    kept->created_ns = created_ns;
    kept->size = (uint16_t)name.size;
    memcpy(kept->name, name.data, name.size);
    const uint32_t place = place_of(page, created_ns);
    memmove(&page->order[place + 1], &page->order[place],
            (page->count - place) * sizeof(page->order[0]));
    page->order[place] = index;
    page->count++;
}
