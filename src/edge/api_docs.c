#include "edge/api_docs.h"

#include "edge/http_request.h"

void api_docs(struct http_request *request)
{
    http_answer_static(request, "text/html; charset=utf-8", api_docs_html);
}

void api_docs_openapi(struct http_request *request)
{
    http_answer_static(request, HTTP_JSON_TYPE, api_docs_json);
}

void api_docs_health(struct http_request *request)
{
    http_answer_static(request, HTTP_JSON_TYPE,
                       BYTES_OF("{\"status\":\"ok\",\"service\":\"docs\","
                                "\"description\":\"The HTTP API, described\",\"endpoints\":{"
                                "\"page\":\"/docs\",\"openapi\":\"/docs/openapi.json\"}}"));
}
