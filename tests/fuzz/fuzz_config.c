/* Whatever a file contains: it is read, or refused with a fault, and never both. */
#include "base/assert.h"
#include "server/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config_source source = {.name = "fuzz", .text = {.data = data, .size = size}};
    const struct config_machine machine = {.home = "/", .private_ip = "10.0.0.1"};
    struct config *config = malloc(sizeof(*config));
    struct config_report *report = malloc(sizeof(*report));
    if (size <= CONFIG_FILE_BYTES_MAX && config != NULL && report != NULL) {
        enum err err = config_load(config, &source, report);
        if (err == ERR_OK) {
            err = config_derive(config, &machine, report);
        }
        ASSERT((err == ERR_OK) == (report->faults_count == 0));
    }
    free(config);
    free(report);
    return 0;
}
