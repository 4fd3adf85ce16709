/* npz.c: numpy's archive of arrays: a ZIP file (PKWARE APPNOTE 6.3) with one stored member NAME.npy an array. */
#include "export.h"

#include <stdlib.h>
#include <string.h>

/* CRC-32 as ZIP has it, bit by bit from a table that is made on the stack: 0xEDB88320 reflected. */
static uint32_t crc32_of(const unsigned char *data, size_t n)
{
    uint32_t table[256], crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    for (size_t i = 0; i < n; i++) crc = table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}

static void put(FILE *out, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) fputc((int)(value >> (8 * i)) & 0xFF, out);
}

enum { LOCAL = 30, CENTRAL = 46, DATE = 0x21 /* 1980-01-01: the same bytes for the same weights */ };

/* The fields that a member's two headers share, from "version needed" to the length of the extra field. */
static void put_fields(FILE *out, const gk_npz_member *m, uint32_t crc)
{
    put(out, 20, 2);
    put(out, 0, 2);
    put(out, 0, 2); /* stored */
    put(out, 0, 2);
    put(out, DATE, 2);
    put(out, crc, 4);
    put(out, (uint32_t)m->size, 4);
    put(out, (uint32_t)m->size, 4);
    put(out, (uint32_t)strlen(m->name) + 4, 2);
    put(out, 0, 2);
}

int gk_npz_write(FILE *out, const gk_npz_member *members, int n)
{
    size_t total = 22;
    for (int i = 0; i < n; i++) total += members[i].size + 2 * (strlen(members[i].name) + 4) + LOCAL + CENTRAL;
    if (total > 0xFFFFFFFFu) return gk_error(GK_FAILED, "npz: %zu bytes are more than an archive of 4 GiB holds", total);
    uint32_t *crcs = gk_calloc((size_t)n + 1, sizeof *crcs);
    if (!crcs) return GK_FAILED;
    for (int i = 0; i < n; i++) {
        const gk_npz_member *m = &members[i];
        crcs[i] = crc32_of(m->npy, m->size);
        put(out, 0x04034B50, 4);
        put_fields(out, m, crcs[i]);
        fprintf(out, "%s.npy", m->name);
        fwrite(m->npy, 1, m->size, out);
    }
    uint32_t at = 0, start = 0, length = 0;
    for (int i = 0; i < n; i++) start += LOCAL + (uint32_t)strlen(members[i].name) + 4 + (uint32_t)members[i].size;
    for (int i = 0; i < n; i++) {
        const gk_npz_member *m = &members[i];
        put(out, 0x02014B50, 4);
        put(out, 20, 2);
        put_fields(out, m, crcs[i]);
        put(out, 0, 2); /* comment */
        put(out, 0, 2); /* disk */
        put(out, 0, 2);
        put(out, 0, 4);
        put(out, at, 4);
        fprintf(out, "%s.npy", m->name);
        at += LOCAL + (uint32_t)strlen(m->name) + 4 + (uint32_t)m->size;
        length += CENTRAL + (uint32_t)strlen(m->name) + 4;
    }
    put(out, 0x06054B50, 4);
    put(out, 0, 2);
    put(out, 0, 2);
    put(out, (uint32_t)n, 2);
    put(out, (uint32_t)n, 2);
    put(out, length, 4);
    put(out, start, 4);
    put(out, 0, 2);
    free(crcs);
    return GK_OK;
}
