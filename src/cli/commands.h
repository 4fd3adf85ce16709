/* commands.h: the rows of the table of commands, one a file cmd_NAME.c. */
#ifndef GK_COMMANDS_H
#define GK_COMMANDS_H

#include "cli.h"

extern const gk_command gk_cmd_run, gk_cmd_sweep, gk_cmd_train, gk_cmd_resume, gk_cmd_ls, gk_cmd_show, gk_cmd_log, gk_cmd_diff,
    gk_cmd_compare, gk_cmd_measure, gk_cmd_split, gk_cmd_export, gk_cmd_import, gk_cmd_sql, gk_cmd_doctor, gk_cmd_merge, gk_cmd_bench,
    gk_cmd_plot, gk_cmd_report, gk_cmd_help, gk_cmd_tag, gk_cmd_note, gk_cmd_rename, gk_cmd_rm;

#endif
