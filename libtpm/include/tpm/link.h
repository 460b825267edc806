/*
 * The way to the TPM: one command there, one response back, byte by byte.  libtpm/link.c is the one
 * of the machine; a test program that brings its own is linked with that.  Boot CPU only.
 */
#ifndef TPM_LINK_H
#define TPM_LINK_H

#include <base/status.h>
#include <stddef.h>
#include <stdint.h>

/*
 * STATUS_NOT_FOUND: there is no TPM; STATUS_UNSUPPORTED: one with a command buffer elsewhere
 * than behind its registers; STATUS_TIMEOUT or STATUS_HARDWARE: it does not answer as it should.
 */
enum status tpm_link_open(void);

/*
 * After anything but STATUS_OK (STATUS_TIMEOUT, STATUS_HARDWARE; STATUS_INVALID, STATUS_OVERFLOW:
 * a response shorter than a header, or longer than room_bytes) what is in response means nothing.
 */
enum status tpm_link_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                              size_t room_bytes, size_t *response_bytes);

/* Makes it idle and lets go of it; also when tpm_link_open() failed half-way. */
void tpm_link_close(void);

#endif
