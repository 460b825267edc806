/*
 * Where the micro-TPM's keys come from: the root secret and the NV memory that outlive a boot.
 * Boot CPU only, before the guest runs.
 */
#ifndef APPS_TRUSTVISOR_ROOT_H
#define APPS_TRUSTVISOR_ROOT_H

#include <tv/tv.h>

/*
 * The root secret from the machine's TPM (<tpm/root.h>), or else from the module `secret`, or else
 * a random one for this boot, marked so in every quote; then the NV memory from the module `nv`,
 * for the owner that nv-owner= names.  Modules are wiped where they lie: the guest gets that
 * memory.  A module that is not as it must be refuses the start, so that nobody goes on with other
 * keys, or with empty NV memory, than he thinks.
 */
void root_make(struct tv *tv);

#endif
