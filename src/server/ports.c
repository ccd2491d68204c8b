#include "server/ports.h"

#include "server/capacity.h"
#include "system/tls.h"
#include "telemetry/logger.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static enum err fail(struct store_fault *out_why, const char *what, const char *detail)
{
    snprintf(out_why->text, sizeof(out_why->text), "%s: %s", what, detail);
    return ERR_IO;
}

static enum err listen_on(const struct config_address *address, int *out_fd,
                          struct store_fault *out_why, const char *name)
{
    struct address resolved;
    char text[128];
    snprintf(text, sizeof(text), "%s %s:%u", name, address->host, address->port);
    if (address_resolve(address->host, address->port, &resolved) != ERR_OK) {
        return fail(out_why, text, "no such address");
    }
    if (socket_listen(&resolved, out_fd) != ERR_OK) {
        return fail(out_why, text, strerrordesc_np(errno));
    }
    return ERR_OK;
}

/* A port that clients may be given. */
struct door {
    const struct config_address *address;
    enum transport transport;
    struct certificate *certificate; /* NULL: it is plain */
    const char *name;
};

static enum err add_listener(struct ports *ports, const struct door *door,
                             struct store_fault *out_why)
{
    if (!door->address->is_set) {
        return ERR_OK;
    }
    struct listener *listener = &ports->listeners[ports->listeners_count];
    const enum err err = listen_on(door->address, &listener->fd, out_why, door->name);
    if (err != ERR_OK) {
        return err;
    }
    socket_limit(listener->fd, CAPACITY_SOCKET_SEND_BYTES, CAPACITY_SOCKET_RECEIVE_BYTES);
    listener->transport = door->transport;
    listener->tls = door->certificate != NULL ? &door->certificate->current : NULL;
    ports->addresses[ports->listeners_count] = *door->address;
    ports->names[ports->listeners_count] = door->name;
    ports->listeners_count++;
    return ERR_OK;
}

/* In place of the one there is, if there is one. */
static enum err certificate_open(struct certificate *certificate, const char *cert_file,
                                 const char *key_file, struct store_fault *out_why)
{
    struct tls_context *context = NULL;
    const enum err err =
        tls_context_open(cert_file, key_file, &context, out_why->text, sizeof(out_why->text));
    if (err == ERR_OK) {
        /* The one before last is surely not being read any more: the last reload is longer ago than
         * a turn. */
        tls_context_close(certificate->before);
        certificate->before = atomic_exchange(&certificate->current, context);
    }
    return err;
}

static void certificate_close(struct certificate *certificate)
{
    tls_context_close(certificate->before);
    tls_context_close(atomic_load(&certificate->current));
}

static enum err open_certificates(struct ports *ports, const struct config *config,
                                  struct store_fault *out_why)
{
    enum err err = ERR_OK;
    if (config->wss_addr.is_set) {
        err = certificate_open(&ports->wss, config->wss_cert_file, config->wss_key_file, out_why);
    }
    if (err == ERR_OK && config->tls_addr.is_set) {
        err = certificate_open(&ports->tls, config->tls_cert_file, config->tls_key_file, out_why);
    }
    return err;
}

/* Where nobody asked for the port and it is taken, perhaps by another server on this machine, this
 * one does without. */
static enum err open_manager(struct ports *ports, const struct config *config,
                             struct store_fault *out_why)
{
    if (!config->manager_addr.is_set) {
        return ERR_OK;
    }
    const enum err err = listen_on(&config->manager_addr, &ports->manager_fd, out_why, "manager");
    if (err != ERR_OK && !config->is_manager_addr_given) {
        LOG_WARN("manager_port_not_opened", F_STR("why", out_why->text));
        return ERR_OK;
    }
    return err;
}

enum err ports_open(struct ports *ports, const struct config *config, struct store_fault *out_why)
{
    const struct door doors[] = {
        {.address = &config->tcp_addr, .transport = TRANSPORT_TCP, .name = "tcp"},
        {.address = &config->ws_addr, .transport = TRANSPORT_WEBSOCKET, .name = "ws"},
        {.address = &config->wss_addr,
         .transport = TRANSPORT_WEBSOCKET,
         .certificate = &ports->wss,
         .name = "wss"},
        {.address = &config->tls_addr,
         .transport = TRANSPORT_TCP,
         .certificate = &ports->tls,
         .name = "tls"},
    };
    enum err err = open_certificates(ports, config, out_why);
    for (size_t i = 0; i < COUNT_OF(doors) && err == ERR_OK; i++) {
        err = add_listener(ports, &doors[i], out_why);
    }
    if (err == ERR_OK) {
        err = listen_on(&config->http_addr, &ports->http_fd, out_why, "http");
    }
    return err == ERR_OK ? open_manager(ports, config, out_why) : err;
}

static void certificate_reload(struct certificate *certificate, const char *cert_file,
                               const char *key_file)
{
    struct store_fault why;
    if (atomic_load(&certificate->current) == NULL) {
        return;
    }
    if (certificate_open(certificate, cert_file, key_file, &why) != ERR_OK) {
        LOG_ERROR("reload_failed", F_STR("why", why.text));
        return;
    }
    LOG_INFO("certificate_reloaded", F_STR("file", cert_file));
}

void ports_reload(struct ports *ports, const struct config *config)
{
    certificate_reload(&ports->wss, config->wss_cert_file, config->wss_key_file);
    certificate_reload(&ports->tls, config->tls_cert_file, config->tls_key_file);
}

void ports_init(struct ports *ports)
{
    *ports = (struct ports){.http_fd = -1, .manager_fd = -1};
}

void ports_close(struct ports *ports, bool is_http_kept)
{
    for (uint32_t i = 0; i < ports->listeners_count; i++) {
        socket_close(ports->listeners[i].fd);
    }
    if (ports->http_fd >= 0 && !is_http_kept) {
        socket_close(ports->http_fd);
    }
    if (ports->manager_fd >= 0 && !is_http_kept) {
        socket_close(ports->manager_fd);
    }
    certificate_close(&ports->wss);
    certificate_close(&ports->tls);
}

void ports_print(const struct ports *ports, FILE *out)
{
    for (uint32_t i = 0; i < ports->listeners_count; i++) {
        const struct config_address *address = &ports->addresses[i];
        fprintf(out, "  %-5s %s:%u\n", ports->names[i], address->host,
                socket_port(ports->listeners[i].fd));
    }
    fprintf(out, "  %-5s port %u\n", "http", socket_port(ports->http_fd));
    if (ports->manager_fd >= 0) {
        fprintf(out, "  %-5s port %u\n", "ops", socket_port(ports->manager_fd));
    }
}
