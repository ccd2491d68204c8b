#include "chat/user.h"

#include "support/test.h"

#include <stdio.h>

#define USERS 200

static struct budget budget;

static void set_up(struct users *users)
{
    budget_init(&budget, "test", NULL, 1 << 20);
    CHECK_OK(users_init(users, &budget));
}

static struct user *come(struct users *users, uint64_t hash)
{
    char uid[24];
    snprintf(uid, sizeof(uid), "u%llu", (unsigned long long)hash);
    return users_add(users, hash, bytes_of_string(uid));
}

static void everybody_goes(struct users *users)
{
    users_scan_begin(users, 0);
    struct user *user;
    while ((user = users_scan_at(users)) != NULL) {
        users_remove(users, user); /* the scan goes on behind it */
    }
    users_deinit(users);
    CHECK_EQ(budget_used(&budget), 0);
}

TEST(who_comes_again_is_numbered_again)
{
    struct users users;
    set_up(&users);
    CHECK_EQ(come(&users, 7)->arrival, 1);
    CHECK_EQ(come(&users, 8)->arrival, 2);
    CHECK_EQ(come(&users, 7)->arrival, 1); /* it is still here */
    users_remove(&users, users_find(&users, 7));
    CHECK_EQ(come(&users, 7)->arrival, 3);
    everybody_goes(&users);
}

/* Whoever comes and goes meanwhile, a scan sees in order everybody who came after the number and
 * has not gone before the scan was there, and nobody twice. */
TEST(a_scan_sees_everybody_who_came_later)
{
    struct users users;
    set_up(&users);
    for (uint64_t hash = 1; hash <= USERS; hash++) {
        CHECK(come(&users, hash) != NULL);
    }
    for (uint32_t round = 0; round < 200; round++) {
        const uint64_t after = prng_below(prng, users.arrivals + 1);
        uint64_t last = after;
        users_scan_begin(&users, after);
        struct user *user;
        while ((user = users_scan_at(&users)) != NULL) {
            LIST_FOR_EACH (item, &users.by_arrival) {
                const struct user *other = CONTAINER_OF(item, struct user, by_arrival);
                CHECK(other->arrival <= last || other->arrival >= user->arrival);
            }
            CHECK(user->arrival > last);
            last = user->arrival;
            users_scan_next(&users);
            const uint64_t hash = 1 + prng_below(prng, USERS);
            struct user *gone = users_find(&users, hash);
            if (gone != NULL && prng_below(prng, 3) == 0) {
                users_remove(&users, gone);
            }
        }
        for (uint64_t hash = 1; hash <= USERS; hash++) {
            if (prng_below(prng, 2) == 0) {
                CHECK(come(&users, hash) != NULL);
            }
        }
    }
    everybody_goes(&users);
}
