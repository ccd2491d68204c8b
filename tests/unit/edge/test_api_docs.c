#include "edge/api.h"
#include "edge/api_docs.h"

#include "support/test.h"
#include "wire/json_token.h"

#include <stdio.h>

/* The value of the member `name`, or a token of kind INVALID. */
static struct json_token member_of(struct json_token object, struct bytes name)
{
    struct json_token_walk walk = json_token_walk_of(object);
    struct json_token key;
    struct json_token value;
    uint8_t area[256];
    while (json_token_walk_member(&walk, &key, &value)) {
        if (key.text.size <= sizeof(area) && bytes_equal(json_token_string(key, area), name)) {
            return value;
        }
    }
    return (struct json_token){.kind = JSON_TOKEN_INVALID};
}

static struct json_token paths_of_document(void)
{
    struct bytes text = api_docs_json;
    struct json_token document;
    CHECK_OK(json_token_take(&text, &document));
    CHECK_EQ(document.kind, JSON_TOKEN_OBJECT);
    return member_of(document, BYTES_OF("paths"));
}

/* ":name" and "*name" of the routing table are "{name}" in the document. */
static struct bytes documented_path(const char *path, uint8_t *area, size_t size)
{
    struct writer writer = writer_of(area, size);
    bool is_open = false;
    for (const char *at = path; *at != 0; at++) {
        if (*at == '/' && is_open) {
            writer_u8(&writer, '}');
            is_open = false;
        }
        const bool is_any = *at == ':' || *at == '*';
        writer_u8(&writer, is_any ? '{' : (uint8_t)*at);
        is_open |= is_any;
    }
    if (is_open) {
        writer_u8(&writer, '}');
    }
    CHECK(!writer.is_full);
    return writer_bytes(&writer);
}

static bool is_documented(struct json_token paths, const struct api_route *route)
{
    uint8_t area[256];
    const struct json_token path =
        member_of(paths, documented_path(route->path, area, sizeof(area)));
    if (path.kind != JSON_TOKEN_OBJECT) {
        return false;
    }
    const bool is_get = route->method != NULL && strcmp(route->method, "GET") == 0;
    return member_of(path, is_get ? BYTES_OF("get") : BYTES_OF("post")).kind == JSON_TOKEN_OBJECT;
}

TEST(every_route_is_in_the_document)
{
    const struct json_token paths = paths_of_document();
    uint32_t count = 0;
    const struct api_route *routes = api_routes(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_documented(paths, &routes[i])) {
            fprintf(stderr, "src/edge/openapi.json lacks %s %s\n",
                    routes[i].method != NULL ? routes[i].method : "*", routes[i].path);
        }
        CHECK(is_documented(paths, &routes[i]));
    }
}

/* A path of the document as a request would have it: "{name}" is "name". */
static struct bytes requested_path(struct bytes path, uint8_t *area)
{
    size_t size = 0;
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] != '{' && path.data[i] != '}') {
            area[size++] = path.data[i];
        }
    }
    return (struct bytes){.data = area, .size = size};
}

TEST(everything_in_the_document_is_a_route)
{
    struct json_token_walk walk = json_token_walk_of(paths_of_document());
    struct json_token key;
    struct json_token methods;
    while (json_token_walk_member(&walk, &key, &methods)) {
        uint8_t key_area[256];
        uint8_t path_area[256];
        CHECK(key.text.size <= sizeof(key_area));
        const struct bytes path = requested_path(json_token_string(key, key_area), path_area);
        struct json_token_walk methods_walk = json_token_walk_of(methods);
        struct json_token method;
        struct json_token operation;
        while (json_token_walk_member(&methods_walk, &method, &operation)) {
            const bool is_get = json_token_is(method, BYTES_OF("get"));
            CHECK(is_get || json_token_is(method, BYTES_OF("post")));
            CHECK(api_find(API_PORT_BACK_END, is_get ? "GET" : "POST", path) != NULL ||
                  api_find(API_PORT_MANAGER, is_get ? "GET" : "POST", path) != NULL);
        }
    }
}
