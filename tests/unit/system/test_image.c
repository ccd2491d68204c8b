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
    uint32_t piece = 0;
    use_library();
    const uint64_t before = file_resident_code_bytes();
    image_give_back(0, &piece);
    CHECK(before > 0);
    CHECK(file_is_traced() || file_resident_code_bytes() < before);
    use_library();
}

TEST(no_more_code_goes_than_is_asked_for)
{
    uint32_t piece = 0;
    use_library();
    image_give_back(UINT64_MAX, &piece); /* one piece, and it is seen that it is enough */
    CHECK(file_is_traced() || piece == 1);
    image_give_back(UINT64_MAX, &piece);
    CHECK(file_is_traced() || piece == 2);
}
