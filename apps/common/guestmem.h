/*
 * Reading guest memory by the guest's own linear addresses.  On the CPU whose guest stopped; takes
 * no lock.  Only guest RAM is ever read: every table and page goes through the nested map.
 */
#ifndef APPS_GUESTMEM_H
#define APPS_GUESTMEM_H

#include <vcpu/vcpu.h>

/* Copies up to bytes of code at CS:RIP; returns how many could be read (0: none). */
unsigned guest_fetch(struct vcpu *vcpu, void *to, unsigned bytes);

#endif
