/*
 * list.h -- a doubly linked ring whose links live inside the objects.
 *
 * A link that is in no list is all zero, and inserting a linked one asserts, so
 * that double insertion cannot be missed. Zeroed memory is a valid free link;
 * a list head must be initialised.
 */
#pragma once

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* NOLINTBEGIN(bugprone-macro-parentheses): the names are declared, not evaluated. */
#define LIST_FOR_EACH(item, head)                                                                  \
    for (struct list *item = (head)->next; item != (head); item = item->next)
/* As above, where the body may remove `item`. */
#define LIST_FOR_EACH_SAFE(item, following, head)                                                  \
    for (struct list *item = (head)->next, *following = item->next; item != (head);                \
         item = following, following = item->next)
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list *item)
{
    return item->next != NULL;
}

static inline void list_insert_before(struct list *place, struct list *item)
{
    ASSERT(!list_is_linked(item));
    item->next = place;
    item->prev = place->prev;
    place->prev->next = item;
    place->prev = item;
}

static inline void list_push_front(struct list *head, struct list *item)
{
    list_insert_before(head->next, item);
}

static inline void list_push_back(struct list *head, struct list *item)
{
    list_insert_before(head, item);
}

static inline void list_remove(struct list *item)
{
    ASSERT(list_is_linked(item));
    item->next->prev = item->prev;
    item->prev->next = item->next;
    *item = (struct list){.next = NULL, .prev = NULL};
}

/* The first item, taken out, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    if (list_is_empty(head)) {
        return NULL;
    }
    struct list *item = head->next;
    list_remove(item);
    return item;
}

/* Moves everything in `source` behind what is in `head`. */
static inline void list_move_all(struct list *head, struct list *source)
{
    if (list_is_empty(source)) {
        return;
    }
    source->next->prev = head->prev;
    head->prev->next = source->next;
    source->prev->next = head;
    head->prev = source->prev;
    list_init(source);
}
