#include "wire/base64.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define BASE64_HAS_VECTORS 1
#else
#define BASE64_HAS_VECTORS 0
#endif

/* How far a vectorised part has come; the scalar code does the rest. */
struct base64_progress {
    const uint8_t *in;
    const uint8_t *in_end;
    uint8_t *out;
};

/* ---- Scalar. ---- */

static const uint8_t encode_table[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
/* The six bits of a character, or NO, which has a bit above them. */
#define NO 0xff
static const uint8_t decode_table[256] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO, NO, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
    NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO,
    NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};
#undef NO
/* clang-format on */

static void encode_scalar(struct base64_progress *progress)
{
    const uint8_t *in = progress->in;
    uint8_t *out = progress->out;
    for (; progress->in_end - in >= 3; in += 3, out += 4) {
        const uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        out[0] = encode_table[bits >> 18];
        out[1] = encode_table[bits >> 12 & 63];
        out[2] = encode_table[bits >> 6 & 63];
        out[3] = encode_table[bits & 63];
    }
    const size_t left = (size_t)(progress->in_end - in);
    if (left > 0) {
        const uint32_t bits = (uint32_t)in[0] << 16 | (left == 2 ? (uint32_t)in[1] << 8 : 0u);
        out[0] = encode_table[bits >> 18];
        out[1] = encode_table[bits >> 12 & 63];
        out[2] = left == 2 ? encode_table[bits >> 6 & 63] : '=';
        out[3] = '=';
    }
}

/* Decodes four characters without padding into three bytes. */
static bool decode_quad(const uint8_t *in, uint8_t *out)
{
    const uint8_t a = decode_table[in[0]];
    const uint8_t b = decode_table[in[1]];
    const uint8_t c = decode_table[in[2]];
    const uint8_t d = decode_table[in[3]];
    const uint32_t bits = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return ((a | b | c | d) & 0xc0) == 0;
}

/* The last four characters, which may end in one or two `=`. Returns how many bytes they are, or 0:
 * rejected. */
static size_t decode_last_quad(const uint8_t *in, uint8_t *out)
{
    const size_t padding = in[3] != '=' ? 0 : (in[2] != '=' ? 1 : 2);
    const uint8_t quad[4] = {in[0], in[1], padding == 2 ? 'A' : in[2], padding > 0 ? 'A' : in[3]};
    uint8_t bytes[3];
    if (!decode_quad(quad, bytes)) {
        return 0;
    }
    memcpy(out, bytes, 3 - padding);
    return 3 - padding;
}

/* ---- Vectors. The way of the look-ups is that of Muła and Lemire, "Faster Base64 Encoding and
 * Decoding Using AVX2 Instructions" (2018). ---- */

#if BASE64_HAS_VECTORS

#define SSSE3 __attribute__((target("ssse3")))
#define AVX2  __attribute__((target("avx2")))

/* Twelve bytes, at the front, to sixteen values of six bits. */
SSSE3 static __m128i spread_ssse3(__m128i bytes)
{
    const __m128i order = _mm_set_epi8(10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1);
    const __m128i triples = _mm_shuffle_epi8(bytes, order);
    const __m128i high = _mm_mulhi_epu16(_mm_and_si128(triples, _mm_set1_epi32(0x0fc0fc00)),
                                         _mm_set1_epi32(0x04000040));
    const __m128i low = _mm_mullo_epi16(_mm_and_si128(triples, _mm_set1_epi32(0x003f03f0)),
                                        _mm_set1_epi32(0x01000010));
    return _mm_or_si128(high, low);
}

/* Values of six bits to characters: each range of the alphabet has its distance. */
SSSE3 static __m128i characters_ssse3(__m128i values)
{
    const __m128i distances =
        _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    const __m128i is_upper = _mm_cmpgt_epi8(_mm_set1_epi8(26), values);
    const __m128i range = _mm_or_si128(_mm_subs_epu8(values, _mm_set1_epi8(51)),
                                       _mm_and_si128(is_upper, _mm_set1_epi8(13)));
    return _mm_add_epi8(values, _mm_shuffle_epi8(distances, range));
}

/* Sixteen bytes are read for each twelve. */
SSSE3 static void encode_ssse3(struct base64_progress *progress)
{
    while (progress->in_end - progress->in >= 16) {
        __m128i block;
        memcpy(&block, progress->in, sizeof(block));
        block = characters_ssse3(spread_ssse3(block));
        memcpy(progress->out, &block, sizeof(block));
        progress->in += 12;
        progress->out += 16;
    }
}

/* Two times twelve bytes are read for each 24, from four before them: the lanes stay apart. */
AVX2 static void encode_avx2(struct base64_progress *progress)
{
    const __m256i order = _mm256_set_epi8(10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1, 10, 11,
                                          9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1);
    const __m256i distances =
        _mm256_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                         '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0,
                         'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                         '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    while (progress->in_end - progress->in >= 28) {
        __m128i first;
        __m128i second;
        memcpy(&first, progress->in, sizeof(first));
        memcpy(&second, progress->in + 12, sizeof(second));
        const __m256i bytes = _mm256_set_m128i(second, first);
        const __m256i triples = _mm256_shuffle_epi8(bytes, order);
        const __m256i high =
            _mm256_mulhi_epu16(_mm256_and_si256(triples, _mm256_set1_epi32(0x0fc0fc00)),
                               _mm256_set1_epi32(0x04000040));
        const __m256i low =
            _mm256_mullo_epi16(_mm256_and_si256(triples, _mm256_set1_epi32(0x003f03f0)),
                               _mm256_set1_epi32(0x01000010));
        const __m256i values = _mm256_or_si256(high, low);
        const __m256i is_upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
        const __m256i range = _mm256_or_si256(_mm256_subs_epu8(values, _mm256_set1_epi8(51)),
                                              _mm256_and_si256(is_upper, _mm256_set1_epi8(13)));
        const __m256i text = _mm256_add_epi8(values, _mm256_shuffle_epi8(distances, range));
        memcpy(progress->out, &text, sizeof(text));
        progress->in += 24;
        progress->out += 32;
    }
}

/* Sixteen characters to twelve bytes. Sixteen bytes are written, so the caller leaves room; the
 * place of the characters themselves is large enough. */
SSSE3 static void decode_ssse3(struct base64_progress *progress)
{
    const __m128i high_table = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10,
                                             0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m128i low_table = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                            0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m128i distances =
        _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i pack = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m128i slash = _mm_set1_epi8('/');
    while (progress->in_end - progress->in >= 32) {
        __m128i text;
        memcpy(&text, progress->in, sizeof(text));
        const __m128i high = _mm_and_si128(_mm_srli_epi32(text, 4), _mm_set1_epi8(0x0f));
        const __m128i low = _mm_and_si128(text, _mm_set1_epi8(0x0f));
        const __m128i rejected =
            _mm_and_si128(_mm_shuffle_epi8(high_table, high), _mm_shuffle_epi8(low_table, low));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(rejected, _mm_setzero_si128())) != 0xffff) {
            return; /* the scalar code finds the culprit */
        }
        const __m128i range = _mm_add_epi8(_mm_cmpeq_epi8(text, slash), high);
        const __m128i values = _mm_add_epi8(text, _mm_shuffle_epi8(distances, range));
        const __m128i pairs = _mm_maddubs_epi16(values, _mm_set1_epi32(0x01400140));
        const __m128i triples = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00011000));
        const __m128i bytes = _mm_shuffle_epi8(triples, pack);
        memcpy(progress->out, &bytes, sizeof(bytes));
        progress->in += 16;
        progress->out += 12;
    }
}

/* 32 characters to 24 bytes; 32 bytes are written. */
AVX2 static void decode_avx2(struct base64_progress *progress)
{
    const __m256i high_table =
        _mm256_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10,
                         0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
                         0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m256i low_table =
        _mm256_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a,
                         0x1b, 0x1b, 0x1b, 0x1a, 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                         0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m256i distances =
        _mm256_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 19, 4,
                         -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i pack = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2,
                                          1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i join = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, -1, -1);
    const __m256i slash = _mm256_set1_epi8('/');
    while (progress->in_end - progress->in >= 48) {
        __m256i text;
        memcpy(&text, progress->in, sizeof(text));
        const __m256i high = _mm256_and_si256(_mm256_srli_epi32(text, 4), _mm256_set1_epi8(0x0f));
        const __m256i low = _mm256_and_si256(text, _mm256_set1_epi8(0x0f));
        if (!_mm256_testz_si256(_mm256_shuffle_epi8(high_table, high),
                                _mm256_shuffle_epi8(low_table, low))) {
            return;
        }
        const __m256i range = _mm256_add_epi8(_mm256_cmpeq_epi8(text, slash), high);
        const __m256i values = _mm256_add_epi8(text, _mm256_shuffle_epi8(distances, range));
        const __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
        const __m256i triples = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
        const __m256i lanes = _mm256_shuffle_epi8(triples, pack);
        const __m256i bytes = _mm256_permutevar8x32_epi32(lanes, join);
        memcpy(progress->out, &bytes, sizeof(bytes));
        progress->in += 32;
        progress->out += 24;
    }
}

static void encode_vectors(struct base64_progress *progress)
{
    if (__builtin_cpu_supports("avx2")) {
        encode_avx2(progress);
    }
    if (__builtin_cpu_supports("ssse3")) {
        encode_ssse3(progress);
    }
}

static void decode_vectors(struct base64_progress *progress)
{
    if (__builtin_cpu_supports("avx2")) {
        decode_avx2(progress);
    }
    if (__builtin_cpu_supports("ssse3")) {
        decode_ssse3(progress);
    }
}

#else

static void encode_vectors(struct base64_progress *progress)
{
    (void)progress;
}

static void decode_vectors(struct base64_progress *progress)
{
    (void)progress;
}

#endif

/* ---- Both. ---- */

void base64_encode(struct bytes bytes, uint8_t *out_text)
{
    if (bytes.size == 0) {
        return;
    }
    struct base64_progress progress;
    progress.in = bytes.data;
    progress.in_end = bytes.data + bytes.size;
    progress.out = out_text;
    encode_vectors(&progress);
    encode_scalar(&progress);
}

/* Decodes what the vectors have left, which is not empty. */
static enum err decode_scalar(struct base64_progress *progress)
{
    for (; progress->in_end - progress->in > 4; progress->in += 4, progress->out += 3) {
        if (!decode_quad(progress->in, progress->out)) {
            return ERR_PROTOCOL;
        }
    }
    const size_t last = decode_last_quad(progress->in, progress->out);
    progress->out += last;
    return last > 0 ? ERR_OK : ERR_PROTOCOL;
}

enum err base64_decode(struct bytes text, uint8_t *area, size_t *out_size)
{
    if (text.size % 4 != 0) {
        return ERR_PROTOCOL;
    }
    size_t size = 0;
    if (text.size > 0) {
        struct base64_progress progress;
        progress.in = text.data;
        progress.in_end = text.data + text.size;
        progress.out = area;
        decode_vectors(&progress);
        if (decode_scalar(&progress) != ERR_OK) {
            return ERR_PROTOCOL;
        }
        size = (size_t)(progress.out - area);
    }
    *out_size = size;
    return ERR_OK;
}

enum err base64_decode_lines(struct bytes text, uint8_t *area, size_t *out_size)
{
    if (!bytes_contain(text, '\n') && !bytes_contain(text, '\r')) {
        return base64_decode(text, area, out_size);
    }
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t character = text.data[i];
        if (character != '\n' && character != '\r') {
            area[size++] = character;
        }
    }
    return base64_decode((struct bytes){.data = area, .size = size}, area, out_size);
}
