#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "jingu: assertion failed: %s (%s:%d)\n", expression, file, line);
    fflush(stderr);
    abort();
}
