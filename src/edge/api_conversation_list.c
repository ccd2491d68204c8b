#include "edge/api_conversation_list.h"

#include "base/assert.h"

#include <stdlib.h>

/* ---- Ranks. ---- */

/* What decides the rank of a row: something behind the read position first, if that is asked for;
 * then the newer update, then the order of the directory. */
struct rank {
    uint64_t updated_ms;
    uint32_t order;
    bool is_read;
};

/* Below 0: a comes first. */
static int rank_compare(struct rank a, struct rank b)
{
    if (a.is_read != b.is_read) {
        return b.is_read ? -1 : 1;
    }
    if (a.updated_ms != b.updated_ms) {
        return a.updated_ms > b.updated_ms ? -1 : 1;
    }
    return a.order < b.order ? -1 : (a.order > b.order ? 1 : 0);
}

static int compare_ranks(const void *a, const void *b)
{
    const struct rank *first = a;
    const struct rank *second = b;
    return rank_compare(*first, *second);
}

/* The first of all ranks, the last of them on top. */
struct heap {
    struct rank *ranks;
    uint64_t count;
    uint64_t capacity;
};

static void heap_swap(struct heap *heap, uint64_t a, uint64_t b)
{
    const struct rank rank = heap->ranks[a];
    heap->ranks[a] = heap->ranks[b];
    heap->ranks[b] = rank;
}

static bool heap_is_later(const struct heap *heap, uint64_t a, uint64_t b)
{
    return rank_compare(heap->ranks[a], heap->ranks[b]) > 0;
}

static void heap_sink(struct heap *heap)
{
    uint64_t at = 0;
    for (;;) {
        uint64_t last = at;
        for (uint64_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap->count; child++) {
            last = heap_is_later(heap, child, last) ? child : last;
        }
        if (last == at) {
            return;
        }
        heap_swap(heap, at, last);
        at = last;
    }
}

static void heap_add(struct heap *heap, struct rank rank)
{
    if (heap->count == heap->capacity) {
        if (rank_compare(rank, heap->ranks[0]) < 0) {
            heap->ranks[0] = rank;
            heap_sink(heap);
        }
        return;
    }
    uint64_t at = heap->count++;
    heap->ranks[at] = rank;
    while (at > 0 && heap_is_later(heap, at, (at - 1) / 2)) {
        heap_swap(heap, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* ---- The walks. ---- */

/* From the first to the last rank, both included. */
struct span {
    struct rank first;
    struct rank last;
};

struct collecting {
    struct http_request *request;
    const struct conversation_query *query;
    struct conversation_list *list;
    struct conversation_entry *newest; /* the chain of what is listed */
    uint32_t rows_count;               /* seen in this walk */
    uint64_t ranks_count;              /* of them, those that have a rank */
    bool has_span;                     /* else it is the rows that there are */
    bool is_over;                      /* and it is not: there are more, or they begin later */
    bool is_full;                      /* what is wanted is counted only */
    struct span span;
    struct heap heap;
    enum err err;
};

static void keep_entry(struct collecting *collecting, const struct conversation_entry *entry)
{
    collecting->list->count++;
    struct conversation_entry *kept = NULL;
    if (!collecting->is_full) {
        kept = http_scratch(collecting->request, sizeof(*kept) + entry->name.id.size);
    }
    if (kept == NULL) {
        collecting->is_full = true;
        return;
    }
    uint8_t *id = (uint8_t *)(kept + 1);
    memcpy(id, entry->name.id.data, entry->name.id.size);
    *kept = *entry;
    kept->name.id.data = id;
    kept->next = collecting->newest;
    collecting->newest = kept;
}

/* Is the row in the span? Without one, all are, and this notices when they are too many. */
static bool span_has(struct collecting *collecting, struct rank rank)
{
    if (!collecting->has_span) {
        collecting->is_over = collecting->ranks_count > collecting->query->rank_end;
        return !collecting->is_over;
    }
    return rank_compare(collecting->span.first, rank) <= 0 &&
           rank_compare(rank, collecting->span.last) <= 0;
}

static bool ask_wanted(struct collecting *collecting, struct conversation_entry *entry)
{
    bool is_wanted = false;
    const struct conversation_query *query = collecting->query;
    collecting->err = query->is_wanted(query->context, entry, &is_wanted);
    return is_wanted;
}

/* Gives the row its rank; false: it has none. */
static bool find_rank(struct collecting *collecting, struct channel_name channel,
                      const struct directory_row *row, struct conversation_entry *out_entry,
                      struct rank *out_rank)
{
    if ((row->flags & DIRECTORY_FLAG_CHAT) == 0) {
        return false;
    }
    *out_entry = (struct conversation_entry){
        .row = *row, .name = channel, .order = collecting->rows_count++};
    *out_rank = (struct rank){.updated_ms = row->updated_ms, .order = out_entry->order};
    if (!collecting->query->is_paged) {
        if (!ask_wanted(collecting, out_entry)) {
            return false;
        }
        out_rank->is_read = out_entry->end.last_seq <= row->read_seq;
    }
    collecting->ranks_count++;
    return true;
}

static bool collect_visit(void *context, struct channel_name channel,
                          const struct directory_row *row)
{
    struct collecting *collecting = context;
    struct conversation_entry entry;
    struct rank rank;
    if (!find_rank(collecting, channel, row, &entry, &rank)) {
        return collecting->err == ERR_OK;
    }
    if (!span_has(collecting, rank)) {
        return collecting->has_span; /* without one, there is no use in going on */
    }
    if (!collecting->query->is_paged || ask_wanted(collecting, &entry)) {
        keep_entry(collecting, &entry);
    }
    return collecting->err == ERR_OK;
}

static bool heap_visit(void *context, struct channel_name channel, const struct directory_row *row)
{
    struct collecting *collecting = context;
    struct conversation_entry entry;
    struct rank rank;
    if (find_rank(collecting, channel, row, &entry, &rank)) {
        heap_add(&collecting->heap, rank);
    }
    return collecting->err == ERR_OK;
}

static enum err walk(struct collecting *collecting, store_directory_fn *visit)
{
    const struct directory_page page = {.uid = collecting->query->uid,
                                        .count_max = UINT32_MAX,
                                        .visit = visit,
                                        .context = collecting};
    collecting->rows_count = 0;
    collecting->ranks_count = 0;
    const enum err err =
        store_read_directory(collecting->request->http->options.store, STORE_MAY_BLOCK, &page);
    return err == ERR_OK ? collecting->err : err;
}

/* Where the span begins and ends. *out_is_empty: there are no rows of these ranks. */
static enum err find_span(struct collecting *collecting, bool *out_is_empty)
{
    struct heap *heap = &collecting->heap;
    heap->capacity = collecting->query->rank_end;
    heap->ranks = http_scratch(collecting->request, heap->capacity * sizeof(*heap->ranks));
    if (heap->ranks == NULL) {
        return ERR_FULL;
    }
    const enum err err = walk(collecting, heap_visit);
    *out_is_empty = heap->count <= collecting->query->rank_begin;
    if (err != ERR_OK || *out_is_empty) {
        return err;
    }
    qsort(heap->ranks, heap->count, sizeof(*heap->ranks), compare_ranks);
    collecting->span = (struct span){.first = heap->ranks[collecting->query->rank_begin],
                                     .last = heap->ranks[heap->count - 1]};
    collecting->has_span = true;
    return ERR_OK;
}

static enum err collect_span(struct collecting *collecting)
{
    bool is_empty = false;
    http_scratch_clear(collecting->request); /* what a walk that was too short has listed */
    collecting->newest = NULL;
    collecting->list->count = 0;
    collecting->is_full = false;
    const enum err err = find_span(collecting, &is_empty);
    return err == ERR_OK && !is_empty ? walk(collecting, collect_visit) : err;
}

static int compare_entries(const void *a, const void *b)
{
    const struct conversation_entry *const *first = a;
    const struct conversation_entry *const *second = b;
    return rank_compare(
        (struct rank){.updated_ms = (*first)->row.updated_ms, .order = (*first)->order},
        (struct rank){.updated_ms = (*second)->row.updated_ms, .order = (*second)->order});
}

/* The chain becomes a list in the order of ranks. */
static enum err list_make(struct collecting *collecting)
{
    struct conversation_list *list = collecting->list;
    if (!collecting->is_full) {
        list->entries =
            http_scratch(collecting->request, list->count * sizeof(struct conversation_entry *));
    }
    if (list->entries == NULL) {
        return ERR_FULL;
    }
    uint32_t count = 0;
    for (struct conversation_entry *entry = collecting->newest; entry != NULL;
         entry = entry->next) {
        list->entries[count++] = entry;
    }
    ASSERT(count == list->count);
    qsort(list->entries, count, sizeof(struct conversation_entry *), compare_entries);
    return ERR_OK;
}

enum err conversation_list_read(struct http_request *request,
                                const struct conversation_query *query,
                                struct conversation_list *out_list)
{
    *out_list = (struct conversation_list){.entries = NULL};
    struct collecting collecting = {.request = request, .query = query, .list = out_list};
    enum err err = ERR_OK;
    collecting.is_over = query->rank_begin > 0;
    if (!collecting.is_over) {
        err = walk(&collecting, collect_visit);
    }
    if (err == ERR_OK && collecting.is_over) {
        err = collect_span(&collecting);
    }
    return err == ERR_OK ? list_make(&collecting) : err;
}
