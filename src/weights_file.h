/* weights_file.h: weights that someone else made, from the formats that people keep them in. */
#ifndef GK_WEIGHTS_FILE_H
#define GK_WEIGHTS_FILE_H

#include "gk_base.h"

/* A safetensors stream, malloc'ed, from `path`: a safetensors file, an npz archive, or NAME=FILE.npy,NAME=FILE.npy...
 * with one npy file a tensor. What is in it is not checked against any model yet. GK_NOTFOUND if there is no such file.
 */
int gk_weights_read(const char *path, unsigned char **out, size_t *size);

#endif
