/* Refused registrations: what the parts of the sub-command errors share. */
#ifndef PAL_ERRORS_H
#define PAL_ERRORS_H

#include "client.h"

void errors_make(struct pal *pal);
void errors_refused(const struct pal *pal, enum tv_error want, const char *what);
void errors_still_good(struct pal *pal);

void errors_of_pages(void); /* errors_pages.c */
void errors_of_addresses(void);

#endif
