#include "edge/api_conversation_list.h"

#include "base/assert.h"

#include <stdlib.h>

/* The times of the newest rows, the oldest of them on top. */
struct heap {
    uint64_t *times_ms;
    uint32_t count;
    uint32_t capacity;
};

static void heap_swap(struct heap *heap, uint32_t a, uint32_t b)
{
    const uint64_t time_ms = heap->times_ms[a];
    heap->times_ms[a] = heap->times_ms[b];
    heap->times_ms[b] = time_ms;
}

static void heap_sink(struct heap *heap)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap->count; child++) {
            least = heap->times_ms[child] < heap->times_ms[least] ? child : least;
        }
        if (least == at) {
            return;
        }
        heap_swap(heap, at, least);
        at = least;
    }
}

static void heap_add(struct heap *heap, uint64_t time_ms)
{
    if (heap->count == heap->capacity) {
        if (time_ms > heap->times_ms[0]) {
            heap->times_ms[0] = time_ms;
            heap_sink(heap);
        }
        return;
    }
    uint32_t at = heap->count++;
    heap->times_ms[at] = time_ms;
    while (at > 0 && heap->times_ms[(at - 1) / 2] > heap->times_ms[at]) {
        heap_swap(heap, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

struct collecting {
    struct http_request *request;
    struct conversation_list *list;
    uint32_t capacity;
    uint64_t floor_ms;   /* rows updated before are not taken */
    uint32_t floor_left; /* how many of just that time are */
    bool is_over;        /* there are more than fit */
    struct heap heap;
};

static struct conversation_entry *make_entry(struct http_request *request,
                                             struct channel_name channel,
                                             const struct directory_row *row)
{
    struct conversation_entry *entry = http_scratch(request, sizeof(*entry) + channel.id.size);
    if (entry == NULL) {
        return NULL;
    }
    uint8_t *id = (uint8_t *)(entry + 1);
    memcpy(id, channel.id.data, channel.id.size);
    *entry = (struct conversation_entry){
        .row = *row,
        .name = {.type = channel.type, .id = {.data = id, .size = channel.id.size}},
    };
    return entry;
}

static bool collect_visit(void *context, struct channel_name channel,
                          const struct directory_row *row)
{
    struct collecting *collecting = context;
    struct conversation_list *list = collecting->list;
    if ((row->flags & DIRECTORY_FLAG_CHAT) == 0 || row->updated_ms < collecting->floor_ms) {
        return true;
    }
    if (row->updated_ms == collecting->floor_ms) {
        if (collecting->floor_left == 0) {
            return true;
        }
        collecting->floor_left--;
    }
    if (list->count == collecting->capacity) {
        collecting->is_over = true;
        return false;
    }
    struct conversation_entry *entry = make_entry(collecting->request, channel, row);
    if (entry == NULL) {
        return false; /* the request's `out` is full, which says so */
    }
    entry->order = list->count;
    list->entries[list->count++] = entry;
    return true;
}

static bool heap_visit(void *context, struct channel_name channel, const struct directory_row *row)
{
    (void)channel;
    struct collecting *collecting = context;
    if ((row->flags & DIRECTORY_FLAG_CHAT) != 0) {
        heap_add(&collecting->heap, row->updated_ms);
    }
    return true;
}

static enum err walk(struct collecting *collecting, struct bytes uid, store_directory_fn *visit)
{
    const struct directory_page page = {
        .uid = uid, .count_max = UINT32_MAX, .visit = visit, .context = collecting};
    return store_read_directory(collecting->request->http->options.store, STORE_MAY_BLOCK, &page);
}

/* From which time on the rows fit, and how many of just that time. */
static enum err find_floor(struct collecting *collecting, struct bytes uid)
{
    struct heap *heap = &collecting->heap;
    heap->capacity = collecting->capacity;
    heap->times_ms =
        http_scratch(collecting->request, collecting->capacity * sizeof(*heap->times_ms));
    if (heap->times_ms == NULL) {
        return ERR_FULL;
    }
    const enum err err = walk(collecting, uid, heap_visit);
    if (err != ERR_OK || heap->count == 0) {
        return err;
    }
    collecting->floor_ms = heap->times_ms[0];
    collecting->floor_left = 0;
    for (uint32_t i = 0; i < heap->count; i++) {
        collecting->floor_left += heap->times_ms[i] == collecting->floor_ms ? 1 : 0;
    }
    return ERR_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const struct conversation_entry *const *first = a;
    const struct conversation_entry *const *second = b;
    if ((*first)->row.updated_ms != (*second)->row.updated_ms) {
        return (*first)->row.updated_ms > (*second)->row.updated_ms ? -1 : 1;
    }
    return (*first)->order < (*second)->order ? -1 : 1;
}

enum err conversation_list_read(struct http_request *request, struct bytes uid,
                                struct conversation_list *out_list)
{
    const uint32_t capacity = request->http->options.limits.conversations_max;
    *out_list = (struct conversation_list){
        .entries = http_scratch(request, capacity * sizeof(struct conversation_entry *))};
    if (out_list->entries == NULL) {
        return ERR_FULL;
    }
    struct collecting collecting = {
        .request = request, .list = out_list, .capacity = capacity, .floor_left = UINT32_MAX};
    enum err err = walk(&collecting, uid, collect_visit);
    if (err == ERR_OK && collecting.is_over) {
        err = find_floor(&collecting, uid);
        out_list->count = 0;
        if (err == ERR_OK) {
            err = walk(&collecting, uid, collect_visit);
        }
    }
    if (request->out.is_full) {
        return ERR_FULL;
    }
    if (err == ERR_OK) {
        qsort(out_list->entries, out_list->count, sizeof(struct conversation_entry *),
              compare_entries);
    }
    return err;
}
