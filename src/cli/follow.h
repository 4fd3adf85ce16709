/* follow.h: a run watched while it trains. */
#ifndef GK_FOLLOW_H
#define GK_FOLLOW_H

#include "cli.h"

/* Until the run no longer trains: on a terminal one line with sparklines, redrawn; elsewhere a row of CSV for each new
 * evaluation. GK_INTERRUPTED after a signal. */
int gk_cli_follow(const gk_cli *cli, const char *run);

#endif
