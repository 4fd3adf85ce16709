/* sql_text.c: where an SQL statement ends. */
#include "sql.h"

#include <string.h>

/* The first byte after the quoted text, comment or plain byte at `at`; NULL if it does not end. */
static const char *skip(const char *at)
{
    const char close = *at == '[' ? ']' : *at;
    if (at[0] == '-' && at[1] == '-') return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : NULL;
    }
    if (!strchr("'\"`[", *at)) return at + 1;
    const char *end = strchr(at + 1, close); /* a doubled quote is an end and a new beginning */
    return end ? end + 1 : NULL;
}

size_t gk_sql_statement(const char *text)
{
    for (const char *at = text; at && *at; at = skip(at))
        if (*at == ';') return (size_t)(at - text) + 1;
    return 0;
}

bool gk_sql_blank(const char *text)
{
    for (const char *at = text; *at;) {
        const bool comment = (at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*');
        if (!comment && !strchr(" \t\r\n;", *at)) return false;
        const char *next = skip(at);
        if (!next) return true; /* a comment that does not end */
        at = next;
    }
    return true;
}
