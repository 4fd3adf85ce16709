/* error.c: the line of text that goes with an error code, kept once per thread. */
#include "gk_base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GK_ERROR_SIZE = 2048 };

static _Thread_local char error_line[GK_ERROR_SIZE];

int gk_error(int code, const char *fmt, ...)
{
    /* Formatted aside first: a caller that adds a place passes gk_error_text() itself as an argument. */
    char line[GK_ERROR_SIZE];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (length < 0) snprintf(line, sizeof line, "an error whose text could not be written (code %d)", code);
    if (length >= (int)sizeof line) memcpy(line + sizeof line - 4, "...", 4);

    /* One line, whatever a value from outside carried with it. */
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    }
    memcpy(error_line, line, sizeof line);
    return code;
}

const char *gk_error_text(void)
{
    return error_line;
}
