#include "system/image.h"

#include "system/crypto.h"
#include "system/file.h"

#include "support/test.h"

/* Something of a large library, so that there is code to give back and to need again. */
static void use_library(void)
{
    uint8_t bytes[64];
    crypto_random(bytes, sizeof(bytes));
}

TEST(code_that_was_used_goes_and_comes_back_when_it_is_needed)
{
    use_library();
    const uint64_t before = file_resident_code_bytes();
    image_give_back();
    const uint64_t after = file_resident_code_bytes();
    CHECK(before > 0);
    CHECK(file_is_traced() || after < before);
    use_library();
    image_give_back();
    use_library();
}
