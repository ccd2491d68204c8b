#include "cli/soak_api.h"

enum err soak_api_open(struct soak_api *api, struct soak_attack *attack)
{
    api->attack = attack;
    budget_init(&api->budget, "api", NULL, BUDGET_UNLIMITED);
    return bench_http_open(&api->http, &attack->options->http_address, attack->options->api_token,
                           &api->budget);
}

void soak_api_post(struct soak_api *api, const char *path, const struct writer *writer)
{
    uint32_t status = 0;
    soak_count(api->attack, SOAK_COUNT_REQUESTS, 1);
    const enum err err = bench_http_post(&api->http, path, writer_bytes(writer), &status);
    if (err != ERR_OK) {
        soak_count(api->attack, SOAK_COUNT_ENDED, 1);
    } else if (status != 200) {
        soak_count(api->attack, SOAK_COUNT_REQUESTS_REFUSED, 1);
    }
}
