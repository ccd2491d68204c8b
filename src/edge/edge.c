#include "edge/edge.h"

#include "base/assert.h"
#include "edge/seal.h"
#include "memory/allocator.h"
#include "system/clock.h"

#include <stdatomic.h>

#define VISITS_CROWDED 4u /* each turn somebody is read on, whatever comes */

static void edge_init_budgets(struct edge *edge)
{
    struct budget *root = &edge->shard->budget;
    budget_init(&edge->conns_budget, "connections", root, root->limit_bytes / 2);
    budget_init(&edge->writes_budget, "write_queues", root, root->limit_bytes / 2);
    budget_init(&edge->reads_budget, "reading", root, root->limit_bytes / 2);
    /* While it is gathered a frame takes up to three times its size: what is held grows by
     * doubling, and then it is copied into a send. An object is copied once more to be decoded. */
    const uint64_t limit = edge->reads_budget.limit_bytes;
    const size_t room = limit > EDGE_SCRATCH_BYTES ? (size_t)limit - EDGE_SCRATCH_BYTES : 0;
    edge->packet_bytes_max = room / 3;
    edge->object_bytes_max = room / 4;
}

enum err edge_init(struct edge *edge, const struct edge_options *options)
{
    *edge = (struct edge){
        .shard = options->shard,
        .chat = options->chat,
        .settings = options->settings,
        .listeners = options->listeners,
        .listeners_count = options->listeners_count,
        .crowd = options->crowd,
        .is_accepting = true,
    };
    edge_init_budgets(edge);
    list_init(&edge->dirty);
    list_init(&edge->readable);
    list_init(&edge->stalled);
    list_init(&edge->doomed);
    strangers_init(&edge->strangers);
    write_blocks_init(&edge->blocks, &edge->writes_budget);
    edge->conns = (struct conns){.capacity = options->settings->conns_max, .free_first = CONN_NONE};
    edge->conns.slots = memory_table_acquire(edge->conns.capacity * sizeof(struct conn));
    edge->scratch = memory_acquire(&edge->reads_budget, MEMORY_RANK_DRAIN, EDGE_SCRATCH_BYTES);
    edge->sealing = memory_acquire(&edge->writes_budget, MEMORY_RANK_DRAIN, SEAL_SCRATCH_BYTES);
    if (edge->conns.slots == NULL || edge->scratch == NULL || edge->sealing == NULL ||
        signing_open(&edge->signing, &edge->writes_budget, edge->sealing) != ERR_OK ||
        checking_open(&edge->checking, &edge->reads_budget, edge->sealing) != ERR_OK) {
        signing_close(&edge->signing, &edge->writes_budget);
        memory_release(&edge->writes_budget, edge->sealing, SEAL_SCRATCH_BYTES);
        memory_release(&edge->reads_budget, edge->scratch, EDGE_SCRATCH_BYTES);
        memory_table_release(edge->conns.slots, edge->conns.capacity * sizeof(struct conn));
        return ERR_BUDGET;
    }
    edge->shard->edge = edge;
    for (uint32_t i = 0; i < edge->listeners_count; i++) {
        const enum err err =
            loop_watch_readable(&edge->shard->loop, edge->listeners[i].fd, i + 1, true);
        if (err != ERR_OK) {
            edge_deinit(edge);
            return err;
        }
    }
    return ERR_OK;
}

void edge_deinit(struct edge *edge)
{
    ASSERT(edge->conns.count == 0);
    write_blocks_forget(&edge->blocks);
    checking_close(&edge->checking, &edge->reads_budget);
    signing_close(&edge->signing, &edge->writes_budget);
    memory_release(&edge->writes_budget, edge->sealing, SEAL_SCRATCH_BYTES);
    memory_release(&edge->reads_budget, edge->scratch, EDGE_SCRATCH_BYTES);
    memory_table_release(edge->conns.slots, edge->conns.capacity * sizeof(struct conn));
    edge->shard->edge = NULL;
}

void edge_rest(struct edge *edge)
{
    const uint64_t before = budget_used(&edge->writes_budget);
    write_blocks_forget(&edge->blocks);
    conns_rest(edge);
    budget_rested(&edge->writes_budget, before);
}

/* ---- The crowd. ---- */

bool edge_crowd_enter(struct edge *edge)
{
    if (atomic_fetch_add(&edge->crowd->count, 1) < edge->crowd->max) {
        return true;
    }
    edge_crowd_leave(edge);
    return false;
}

void edge_crowd_leave(struct edge *edge)
{
    const uint32_t before = atomic_fetch_sub(&edge->crowd->count, 1);
    ASSERT(before > 0);
}

bool edge_is_idle(const struct edge *edge)
{
    return edge->conns.count == 0 && edge->sends == 0 && edge->moving == 0;
}

void edge_stop_accepting(struct edge *edge)
{
    if (!edge->is_accepting) {
        return;
    }
    edge->is_accepting = false;
    for (uint32_t i = 0; i < edge->listeners_count; i++) {
        loop_forget(&edge->shard->loop, edge->listeners[i].fd);
    }
}

/* ---- The phases. ---- */

void edge_on_event(struct edge *edge, const struct loop_event *event)
{
    const uint32_t generation = (uint32_t)(event->cookie >> 32);
    const uint32_t index = (uint32_t)event->cookie;
    if (generation == 0) {
        strangers_knock(&edge->strangers, index - 1);
        return;
    }
    const struct session_id id = {
        .index = index, .generation = generation, .shard = edge->shard->index};
    struct conn *conn = conn_find(edge, id);
    if (conn == NULL) {
        return; /* an event for a former tenant */
    }
    if (event->is_writable) {
        conn->is_writable = true;
        if (!write_queue_is_empty(&conn->queue) || conn->session.is_behind) {
            conn_mark_dirty(edge, conn);
        }
    }
    if (event->is_readable) {
        conn->is_readable = true;
        conn->is_hung_up = conn->is_hung_up || event->is_hung_up;
        if (conn->state == CONN_CLOSING && event->is_broken) {
            conn_doom(edge, conn, (enum conn_cause)conn->cause);
        } else if (event->is_broken && conn->is_paused && !edge_is_crowded(edge)) {
            conn_doom(edge, conn, CAUSE_PEER); /* nobody is there to be answered */
        } else if (list_is_linked(&conn->waiting)) {
            return; /* its turn will come */
        } else if (conn->state == CONN_OPEN) {
            conn_read(edge, conn);
        } else {
            conn_wait_to_read(edge, conn);
        }
    }
}

bool edge_is_crowded(const struct edge *edge)
{
    return edge->posted >= INTAKE_CROWDED || edge->shard->intake.count >= INTAKE_CROWDED;
}

/* Visits those that wait in `list`, each once and in their order, but in a crowd only the first
 * few: the others stay in front of whoever comes to wait meanwhile. */
static void edge_visit(struct edge *edge, struct list *list,
                       void (*visit)(struct edge *edge, struct conn *conn))
{
    struct list waiting;
    list_init(&waiting);
    list_move_all(&waiting, list);
    for (uint32_t visits = 0; !list_is_empty(&waiting); visits++) {
        if (visits >= VISITS_CROWDED && edge_is_crowded(edge)) {
            break;
        }
        visit(edge, CONTAINER_OF(list_pop_front(&waiting), struct conn, waiting));
    }
    list_move_all(&waiting, list);
    list_move_all(list, &waiting);
}

/* Those that waited for memory get one try a turn. */
bool edge_read(struct edge *edge)
{
    edge_visit(edge, &edge->stalled, conn_resume);
    edge_visit(edge, &edge->readable, conn_read);
    checking_finish(edge);
    const bool is_cut = edge_is_crowded(edge) && !list_is_empty(&edge->stalled);
    edge->posted = 0;
    return is_cut || !list_is_empty(&edge->readable);
}

bool edge_write(struct edge *edge)
{
    /* Writing may make others dirty (a session that catches up); they follow in the same pass. */
    struct list *item;
    while ((item = list_pop_front(&edge->dirty)) != NULL) {
        edge->dirty_count--;
        conn_flush(edge, CONTAINER_OF(item, struct conn, dirty));
    }
    signing_finish(&edge->signing); /* of those that were doomed meanwhile */
    checking_finish(edge);          /* of those that could be read on */
    const bool has_more = edge->has_read_on;
    edge->has_read_on = false;
    return has_more;
}

bool edge_bury(struct edge *edge)
{
    const uint64_t until_ns = clock_now_ns() + EDGE_BURY_NS;
    while (!list_is_empty(&edge->doomed)) {
        conn_bury(edge, CONTAINER_OF(edge->doomed.next, struct conn, waiting));
        if (clock_now_ns() >= until_ns) {
            break;
        }
    }
    edge->is_burying = !list_is_empty(&edge->doomed);
    return edge->is_burying;
}

void edge_close_all(struct edge *edge)
{
    for (uint32_t i = 0; i < edge->conns.touched; i++) {
        struct conn *conn = &edge->conns.slots[i];
        if (conn->state != CONN_FREE && conn->state != CONN_DOOMED) {
            conn_doom(edge, conn, CAUSE_SHUTDOWN);
        }
    }
}
