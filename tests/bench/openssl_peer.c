/* The same work as the kernels', by OpenSSL's SHA-256, one message after another. Built by bench_kernels.py.

   By Init, Update and Final: since OpenSSL 3 the one call SHA256() looks its algorithm up each time and takes
   five times as long on short messages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

static void once(const uint8_t *data, size_t size, uint8_t *out) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, data, size);
    SHA256_Final(out, &context);
}

static void twice(const uint8_t *data, size_t size, uint8_t *out) {
    uint8_t first[32];
    once(data, size, first);
    once(first, 32, out);
}

void hash_each(const uint8_t *items, int64_t count, int64_t size, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) twice(items + i * size, size, out + 32 * i);
}

void merkle_root(const uint8_t *ids, int64_t count, uint8_t *root) {
    uint8_t *level = malloc(32 * (count + 1));
    memcpy(level, ids, 32 * count);
    while (count > 1) {
        if (count & 1) { memcpy(level + 32 * count, level + 32 * (count - 1), 32); count++; }
        count /= 2;
        for (int64_t i = 0; i < count; i++) twice(level + 64 * i, 64, level + 32 * i);
    }
    memcpy(root, level, 32);
    free(level);
}

static uint64_t number(const uint8_t **at) {
    const uint8_t *p = *at;
    uint64_t value = 0;
    int size = p[0] < 0xfd ? 0 : p[0] == 0xfd ? 2 : p[0] == 0xfe ? 4 : 8;
    if (!size) { *at = p + 1; return p[0]; }
    memcpy(&value, p + 1, size);
    *at = p + 1 + size;
    return value;
}

/* Finds all transactions of a block, hashes both ids of each and both roots; 1 where the header's root is met. */
int64_t check_block(const uint8_t *raw, uint8_t *witness_root) {
    const uint8_t *p = raw + 80;
    int64_t count = number(&p), met;
    uint8_t *txids = malloc(32 * count), *wtxids = malloc(32 * count), root[32], first[32];
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *start = p, *body, *stop;
        int witness = p[4] == 0;
        body = p = p + (witness ? 6 : 4);
        uint64_t inputs = number(&p);
        for (uint64_t k = 0; k < inputs; k++) { p += 36; uint64_t size = number(&p); p += size + 4; }
        uint64_t outputs = number(&p);
        for (uint64_t k = 0; k < outputs; k++) { p += 8; uint64_t size = number(&p); p += size; }
        stop = p;
        if (witness)
            for (uint64_t k = 0; k < inputs; k++) {
                uint64_t items = number(&p);
                for (uint64_t j = 0; j < items; j++) { uint64_t size = number(&p); p += size; }
            }
        p += 4;
        if (witness) {
            SHA256_CTX context;
            SHA256_Init(&context);
            SHA256_Update(&context, start, 4);
            SHA256_Update(&context, body, stop - body);
            SHA256_Update(&context, p - 4, 4);
            SHA256_Final(first, &context);
            once(first, 32, txids + 32 * i);
            twice(start, p - start, wtxids + 32 * i);
        } else {
            twice(start, p - start, txids + 32 * i);
            memcpy(wtxids + 32 * i, txids + 32 * i, 32);
        }
    }
    merkle_root(txids, count, root);
    memset(wtxids, 0, 32);
    merkle_root(wtxids, count, witness_root);
    met = !memcmp(root, raw + 36, 32);
    free(txids);
    free(wtxids);
    return met;
}
