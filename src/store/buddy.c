#include "store/buddy.h"

#include "base/assert.h"
#include "memory/allocator.h"

/* What `orders` says of a unit: nothing begins here, or a block of the order, free or in use. */
#define STATE_NONE 0u
#define STATE_FREE 0x40u
#define STATE_USED 0x80u

/* In the first bytes of each free block: the ring of its order's list, open at both ends. */
struct buddy_link {
    uint32_t next;
    uint32_t previous;
};

static uint64_t units_count(const struct buddy *buddy)
{
    return 1ull << (buddy->orders_count - 1);
}

static struct buddy_link *link_at(const struct buddy *buddy, uint32_t place)
{
    return buddy_at(buddy, place);
}

static void free_add(struct buddy *buddy, uint32_t place, uint32_t order)
{
    const uint32_t next = buddy->free[order];
    *link_at(buddy, place) = (struct buddy_link){.next = next, .previous = BUDDY_NONE};
    if (next != BUDDY_NONE) {
        link_at(buddy, next)->previous = place;
    }
    buddy->free[order] = place;
    buddy->orders[place] = (uint8_t)(STATE_FREE | order);
}

static void free_remove(struct buddy *buddy, uint32_t place, uint32_t order)
{
    const struct buddy_link link = *link_at(buddy, place);
    if (link.next != BUDDY_NONE) {
        link_at(buddy, link.next)->previous = link.previous;
    }
    if (link.previous != BUDDY_NONE) {
        link_at(buddy, link.previous)->next = link.next;
    } else {
        ASSERT(buddy->free[order] == place);
        buddy->free[order] = link.next;
    }
    buddy->orders[place] = STATE_NONE;
}

uint32_t buddy_order(uint64_t bytes)
{
    uint32_t order = 0;
    while (order < BUDDY_ORDERS_MAX && (uint64_t)BUDDY_UNIT_BYTES << order < bytes) {
        order++;
    }
    return order;
}

enum err buddy_open(struct buddy *buddy, struct budget *budget, uint64_t bytes)
{
    ASSERT(bytes >= BUDDY_UNIT_BYTES);
    uint32_t orders_count = 1;
    while (orders_count < BUDDY_ORDERS_MAX && (uint64_t)BUDDY_UNIT_BYTES << orders_count <= bytes) {
        orders_count++;
    }
    *buddy = (struct buddy){.budget = budget, .orders_count = orders_count};
    const uint64_t units = units_count(buddy);
    const enum err err = budget_charge(budget, MEMORY_RANK_ADMIT, buddy_bytes(buddy));
    if (err != ERR_OK) {
        return err;
    }
    buddy->region = memory_table_acquire(units * BUDDY_UNIT_BYTES + units);
    if (buddy->region == NULL) {
        budget_refund(budget, buddy_bytes(buddy));
        return ERR_BUDGET;
    }
    buddy->orders = buddy->region + units * BUDDY_UNIT_BYTES;
    for (uint32_t order = 0; order < BUDDY_ORDERS_MAX; order++) {
        buddy->free[order] = BUDDY_NONE;
    }
    free_add(buddy, 0, orders_count - 1);
    return ERR_OK;
}

void buddy_close(struct buddy *buddy)
{
    if (buddy->region == NULL) {
        return;
    }
    memory_table_release(buddy->region, buddy_bytes(buddy));
    budget_refund(buddy->budget, buddy_bytes(buddy));
    buddy->region = NULL;
}

uint64_t buddy_bytes(const struct buddy *buddy)
{
    return units_count(buddy) * (BUDDY_UNIT_BYTES + 1);
}

uint32_t buddy_acquire(struct buddy *buddy, uint32_t order)
{
    uint32_t from = order;
    while (from < buddy->orders_count && buddy->free[from] == BUDDY_NONE) {
        from++;
    }
    if (from >= buddy->orders_count) {
        return BUDDY_NONE;
    }
    const uint32_t place = buddy->free[from];
    free_remove(buddy, place, from);
    for (; from > order; from--) {
        free_add(buddy, place + (1u << (from - 1)), from - 1);
    }
    buddy->orders[place] = (uint8_t)(STATE_USED | order);
    return place;
}

void buddy_release(struct buddy *buddy, uint32_t place)
{
    ASSERT(place < units_count(buddy));
    ASSERT((buddy->orders[place] & STATE_USED) != 0);
    uint32_t order = buddy->orders[place] & (uint8_t)~STATE_USED;
    buddy->orders[place] = STATE_NONE;
    for (; order < buddy->orders_count - 1; order++) {
        const uint32_t other = place ^ (1u << order);
        if (buddy->orders[other] != (STATE_FREE | order)) {
            break;
        }
        free_remove(buddy, other, order);
        place = place < other ? place : other;
    }
    free_add(buddy, place, order);
}

void buddy_forget(struct buddy *buddy)
{
    for (uint32_t order = 0; order < buddy->orders_count; order++) {
        const uint64_t bytes = (uint64_t)BUDDY_UNIT_BYTES << order;
        uint32_t place = buddy->free[order];
        while (place != BUDDY_NONE) {
            struct buddy_link *link = link_at(buddy, place);
            memory_table_forget(link + 1, bytes - sizeof(*link)); /* the whole pages behind it */
            place = link->next;
        }
    }
}
