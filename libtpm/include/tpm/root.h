/*
 * The root secret in the machine's TPM 2.0: 32 bytes in an NV index of ours, made at the first
 * boot, read at each boot before the guest runs, and then locked against reading until the TPM is
 * reset, which is when the machine is.
 *
 * Boot CPU, before the guest runs; ends within TPM_ROOT_LIMIT_MS and the time of one command
 * whatever the TPM does.  After it the TPM is idle, and the guest's.
 *
 * The index has no authorization value, so that a guest that sets the owner's does not lock us out,
 * and these attributes: AUTHREAD, AUTHWRITE, WRITEALL; READ_STCLEAR, the lock; WRITEDEFINE, and it
 * is locked against writing for good once it is written; NO_DA; no policy.  Index, size, attributes
 * and policy are compared at every boot: that is all that the index's Name is a digest of.
 *
 * Who may delete it is decided by who defined it:
 * - The platform, where the firmware leaves the platform hierarchy open (no authorization value).
 *   We close that hierarchy until the next reset of the TPM, as the firmware should have, whether
 *   or not the index is ours, so a guest can neither delete nor redefine it.  An index that the
 *   owner defined is refused on such a machine.
 * - Else the owner, with his authorization value, which most machines do not have.
 *
 * Defended:
 * - A guest cannot read the secret that this boot uses, by NV_Read, NV_Certify or PolicyNV: all of
 *   them obey the lock, and that it holds has been tried.
 * - A guest cannot write to the index: there is a lock against that, too, for good.
 * - With an index of the platform's, a guest cannot put another in its place.
 *
 * Not defended:
 * - With an index of the owner's, a guest that has the owner's authorization, or the lockout's
 *   (TPM2_Clear), can delete ours and define the same with a secret that it knows: then it knows
 *   all keys of the NEXT boots.  It does not learn the keys of this boot and of those before: what
 *   was sealed stays closed to it, and is lost.  The quote keys change, which who verifies quotes
 *   sees if it knows the machine's key.  There is no attribute against it: POLICY_DELETE is for the
 *   platform alone.  Owners help themselves by authorization values for owner and lockout that the
 *   guest does not know.
 * - A guest can take the secret away: lock or, if it is the owner's, delete the index.  Then this
 *   fails, or makes a new secret, with a line; never silently: quotes have another key, and name
 *   their root's source.
 * - Whoever boots the machine without us reads the index: there is no measured boot that it could
 *   be bound to.  Nor does POLICY_DELETE help there: who knows the secret need not replace it.
 * - A TPM that can be reset alone (by a wire, or on some boards by a guest that reprograms the pin
 *   that the reset comes by), and whoever listens on its bus.
 * - Sleep (ACPI S3): the firmware may leave the platform hierarchy open after it.
 */
#ifndef TPM_ROOT_H
#define TPM_ROOT_H

#include <stdint.h>

#define TPM_ROOT_BYTES 32U

/* In the range that is the owner's to give ("Registry of Reserved TPM 2.0 Handles"). */
#define TPM_ROOT_INDEX 0x01804e43U

/* No command is sent, or sent again, after that time. */
#define TPM_ROOT_LIMIT_MS 10000U

enum tpm_root {
    TPM_ROOT_FOUND,    /* one info line says whose the index is, and if it is new */
    TPM_ROOT_NO_TPM,   /* there is no TPM 2.0; no line */
    TPM_ROOT_UNUSABLE, /* one warning says why */
};

/*
 * fresh: 32 random bytes of ours for an index that is made now, which holds them XOR the TPM's own;
 * NULL: none can be made.  secret is all zero unless TPM_ROOT_FOUND; the caller wipes both.
 */
enum tpm_root tpm_root_secret(const uint8_t *fresh, uint8_t secret[static TPM_ROOT_BYTES]);

#endif
