/*
 * api.h -- the routing table: which path of http-api.md is served by which function.
 *
 * A line says the method, the path, the shape of the body, how its faults are worded
 * (http-api 3.2), the handler, and on which ports it is served. Handlers translate a
 * request into a command or a reading, and its result into the answer; the files
 * api_<subject>.c hold them.
 *
 * A segment of a path that begins with ':' stands for any one segment, a last one that
 * begins with '*' for whatever comes, be it nothing.
 */
#pragma once

#include "base/bytes.h"
#include "edge/json_fields.h"

struct http_request;

/* Answers `request`, or hands it to others who will lead to an answer. */
typedef void api_handle_fn(struct http_request *request);

/* How the faults of a body are worded (http-api 3.2). */
enum api_style {
    API_STYLE_RAW = 0, /* what is wrong */
    API_STYLE_FIXED,   /* that something is wrong */
    API_STYLE_WRAPPED, /* both */
};

/* Where a route is served: the API's port, the manager's (http-api 16.2). */
enum api_port {
    API_PORT_BACK_END = 1,
    API_PORT_MANAGER = 2,
};

struct api_route {
    const char *method; /* NULL: every one */
    const char *path;
    api_handle_fn *handle;
    const struct json_shape *shape; /* NULL: the body is not looked at */
    enum api_style style;
    uint8_t ports; /* a sum of enum api_port */
    bool is_open;  /* on the manager's port: also to whom it does not know */
    bool is_raw;   /* the body is kept as it is, for a page (api_page.h) */
};

/* The route, or NULL. `path` is decoded and without its query. */
const struct api_route *api_find(enum api_port port, const char *method, struct bytes path);

/* The route that `path` would have without its trailing slash, or NULL (http-api 2.1). */
const struct api_route *api_find_moved(enum api_port port, const char *method, struct bytes path);

/* The segment `index` of a path, from 0, without its slashes; empty: there is none. */
struct bytes api_path_segment(struct bytes path, uint32_t index);

/* All routes, for tests and documents. */
const struct api_route *api_routes(uint32_t *out_count);
