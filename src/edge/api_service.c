#include "edge/api_service.h"

#include "edge/http_request.h"
#include "edge/json_fields.h"
#include "journal/journal.h"
#include "telemetry/exposition.h"
#include "telemetry/metric.h"

#define ADDRESSES_BYTES 128u                /* the names around them */
#define EXPOSE_BYTES    ((size_t)64 * 1024) /* for what the server adds to its metrics */

/* ---- Route: http-api 5. ---- */

struct answer_addresses {
    struct bytes tcp;
    struct bytes ws;
    struct bytes wss;
};

static struct answer_addresses choose_addresses(const struct http_request *request)
{
    const struct http_addresses *all = &request->http->options.addresses;
    if (http_query_number(request, "intranet", INT32_MAX) == 1) {
        return (struct answer_addresses){.tcp = all->intranet_tcp};
    }
    return (struct answer_addresses){.tcp = all->tcp, .ws = all->ws, .wss = all->wss};
}

static size_t addresses_bytes(const struct answer_addresses *addresses)
{
    return json_text_string_size(addresses->tcp) + json_text_string_size(addresses->ws) +
           json_text_string_size(addresses->wss) + ADDRESSES_BYTES;
}

static void write_addresses(struct json_text *json, const struct answer_addresses *addresses)
{
    json_text_key(json, "tcp_addr");
    json_text_string(json, addresses->tcp);
    json_text_key(json, "ws_addr");
    json_text_string(json, addresses->ws);
    json_text_key(json, "wss_addr");
    json_text_string(json, addresses->wss);
}

void api_route_get(struct http_request *request)
{
    const struct answer_addresses addresses = choose_addresses(request);
    if (!http_out_open(request, addresses_bytes(&addresses))) {
        return;
    }
    json_text_object_begin(&request->json);
    write_addresses(&request->json, &addresses);
    json_text_object_end(&request->json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

static void write_uids(struct json_text *json, const struct json_strings *uids)
{
    json_text_key(json, "uids");
    if (!uids->is_given) {
        json_text_null(json);
        return;
    }
    json_text_array_begin(json);
    for (uint32_t i = 0; i < uids->count; i++) {
        json_text_string(json, uids->items[i]);
    }
    json_text_array_end(json);
}

void api_route_batch(struct http_request *request)
{
    const struct json_strings *uids = request->input;
    const struct answer_addresses addresses = choose_addresses(request);
    size_t size = addresses_bytes(&addresses);
    for (uint32_t i = 0; i < uids->count; i++) {
        size += json_text_string_size(uids->items[i]) + 1;
    }
    if (!http_out_open(request, size)) {
        return;
    }
    struct json_text *json = &request->json;
    json_text_array_begin(json);
    json_text_object_begin(json);
    write_addresses(json, &addresses);
    write_uids(json, uids);
    json_text_object_end(json);
    json_text_array_end(json);
    http_answer_out(request, 200, HTTP_JSON_TYPE);
}

/* ---- Health and metrics. ---- */

/* http-api 14.1 */
void api_health(struct http_request *request)
{
    const struct http *http = request->http;
    if (http->is_draining) {
        http_answer_text(request, 500, HTTP_JSON_TYPE,
                         BYTES_OF("{\"message\":\"shutting down\",\"status\":\"error\"}"));
    } else if (journal_is_failing(http->options.journal)) {
        http_answer_text(request, 500, HTTP_JSON_TYPE,
                         BYTES_OF("{\"message\":\"storage refuses writes\",\"status\":\"error\"}"));
    } else {
        http_answer_text(request, 200, HTTP_JSON_TYPE, BYTES_OF("{\"status\":\"ok\"}"));
    }
}

void api_metrics(struct http_request *request)
{
    const struct http_options *options = &request->http->options;
    if (!http_out_open(request, METRICS_TEXT_BYTES + EXPOSE_BYTES)) {
        return;
    }
    metrics_render(options->metrics, &request->out);
    if (options->expose != NULL) {
        options->expose(options->expose_context, &request->out);
    }
    if (request->out.is_full) {
        http_answer_failure(request, "the metrics do not fit", ERR_FULL);
        return;
    }
    http_answer_out(request, 200, EXPOSITION_CONTENT_TYPE);
}
