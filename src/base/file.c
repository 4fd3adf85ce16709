/* file.c: files that are there whole or not at all. */
#include "gk_base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gk_file_open(gk_file *f, const char *name)
{
    struct stat there;
    const bool exists = stat(name, &there) == 0, straight = exists && !S_ISREG(there.st_mode);
    *f = (gk_file){.name = name};
    if (!straight) {
        /* A symbolic link stays one: the file that it leads to is replaced. */
        f->place = exists ? realpath(name, NULL) : gk_text("%s", name);
        f->beside = f->place ? gk_text("%s.%ld.tmp", f->place, (long)getpid()) : NULL;
    }
    if (straight || f->beside) f->to = fopen(straight ? name : f->beside, "wb");
    if (f->to) {
        if (exists && !straight) (void)fchmod(fileno(f->to), there.st_mode & 07777); /* if not, it has the usual rights */
        return GK_OK;
    }
    const int code = gk_error(GK_FAILED, "cannot write %s: %s", name, strerror(errno));
    free(f->beside);
    free(f->place);
    *f = (gk_file){0};
    return code;
}

int gk_file_close(gk_file *f, int code)
{
    if (!f->to) return code;
    const bool bad = ferror(f->to) != 0, lost = fclose(f->to) != 0;
    const bool good = code == GK_OK && !bad && !lost && (!f->beside || rename(f->beside, f->place) == 0);
    if (!good && code == GK_OK) code = gk_error(GK_FAILED, "cannot write %s: %s", f->name, strerror(errno));
    if (!good && f->beside) remove(f->beside);
    free(f->beside);
    free(f->place);
    *f = (gk_file){0};
    return code;
}
