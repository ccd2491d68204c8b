#include "cli/soak_scenarios.h"

#include "edge/api.h"
#include "support/test.h"

#include <stdio.h>

/* They take seconds, or write a copy of the store. */
static const char *const others[] = {"/debug/pprof/heap", "/debug/pprof/profile", "/backup"};

static bool is_among_others(const struct api_route *route)
{
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (strcmp(route->path, others[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_asked_for(const struct api_route *route)
{
    const char *method = NULL;
    const char *target = NULL;
    for (uint32_t i = 0; (target = soak_api_request(i, &method)) != NULL; i++) {
        const struct bytes path = {.data = (const uint8_t *)target, .size = strcspn(target, "?")};
        if (api_find(API_PORT_BACK_END, method, path) == route) {
            return true;
        }
    }
    return false;
}

TEST(the_soak_asks_for_all_that_the_api_has)
{
    uint32_t count = 0;
    const struct api_route *routes = api_routes(&count);
    for (uint32_t i = 0; i < count; i++) {
        const bool is_here = (routes[i].ports & API_PORT_BACK_END) != 0;
        if (is_here && !is_among_others(&routes[i]) && !is_asked_for(&routes[i])) {
            printf("nobody asks for %s\n", routes[i].path);
            CHECK(false);
        }
    }
    CHECK(count > 100);
}
