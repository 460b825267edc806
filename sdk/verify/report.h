/* What nacre-verify says on standard output. */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

#include "options.h"
#include "pal_program.h"

void verify_report_measurement(const struct verify_pal *pal,
                               const struct tv_measurement *measurement);

/* One line.  pal: NULL if only its identity is known. */
void verify_report_statement(const struct verify_options *options, const struct verify_pal *pal,
                             const struct verify_statement *statement);

#endif
