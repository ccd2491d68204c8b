#include "edge/source_table.h"

#include "support/test.h"

TEST(what_was_put_is_found_and_put_again)
{
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct source_table table;
    CHECK_OK(source_table_init(&table, &budget));
    CHECK(source_table_find(&table, 7) == NULL);
    source_table_put(&table, 7, 100, false);
    CHECK_EQ(source_table_find(&table, 7)->at_ns, 100);
    CHECK(!source_table_find(&table, 7)->is_good);
    source_table_put(&table, 7, 200, true);
    CHECK_EQ(source_table_find(&table, 7)->at_ns, 200);
    CHECK(source_table_find(&table, 7)->is_good);
    CHECK(source_table_find(&table, 7 + SOURCE_TABLE_ROWS) == NULL);
    CHECK(source_table_find(&table, 0) == NULL); /* an empty entry has that hash, too */
    source_table_deinit(&table);
    CHECK_EQ(budget_used(&budget), 0);
}

TEST(the_one_that_was_asked_longest_ago_goes)
{
    struct budget budget;
    budget_init(&budget, "test", NULL, BUDGET_UNLIMITED);
    struct source_table table;
    CHECK_OK(source_table_init(&table, &budget));
    for (uint64_t i = 0; i < SOURCE_TABLE_WAYS; i++) {
        source_table_put(&table, 5 + i * SOURCE_TABLE_ROWS, 100 + i, true);
    }
    source_table_put(&table, 5, 200, true); /* asked again: no longer the oldest */
    source_table_put(&table, 5 + SOURCE_TABLE_WAYS * SOURCE_TABLE_ROWS, 300, true);
    CHECK(source_table_find(&table, 5) != NULL);
    CHECK(source_table_find(&table, 5 + SOURCE_TABLE_ROWS) == NULL);
    for (uint64_t i = 2; i <= SOURCE_TABLE_WAYS; i++) {
        CHECK(source_table_find(&table, 5 + i * SOURCE_TABLE_ROWS) != NULL);
    }
    source_table_deinit(&table);
}
