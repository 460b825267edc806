/*
 * Status codes: what a call that can fail returns.  Every library uses this one enum; a text for
 * each code comes from status_text().  Pure, callable anywhere.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
    STATUS_OK = 0,
    STATUS_NO_MEMORY,   /* a pool or table is full; nothing was changed */
    STATUS_INVALID,     /* an argument or input is malformed */
    STATUS_UNSUPPORTED, /* the CPU or machine lacks what is needed */
    STATUS_NOT_FOUND,   /* no such object */
    STATUS_OVERLAP,     /* ranges collide */
    STATUS_OVERFLOW,    /* a size or address does not fit */
    STATUS_FAULT,       /* memory at that address cannot be accessed */
    STATUS_TIMEOUT,     /* the other side did not answer in time */
    STATUS_BUSY,        /* in use by another CPU */
    STATUS_HARDWARE,    /* an instruction reported failure */
    STATUS_COUNT
};

/* Short text of a code, never NULL. */
const char *status_text(enum status status);

#endif
