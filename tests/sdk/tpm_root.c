/*
 * libtpm's root secret from a TPM behind a TCP port: what a boot does, without the machine's way to
 * the TPM.  tpm_root PORT [none]: prints the outcome and the secret; none: without random numbers
 * of our own.
 */
#include <arpa/inet.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <tpm/link.h>
#include <tpm/root.h>
#include <unistd.h>

static unsigned short port;
static int connection = -1;

enum status tpm_link_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection = socket(AF_INET, SOCK_STREAM, 0);
    bool connected = connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0;
    return connected ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status tpm_link_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                              size_t room_bytes, size_t *response_bytes)
{
    if (write(connection, command, command_bytes) != (ssize_t)command_bytes) {
        return STATUS_HARDWARE;
    }
    ssize_t got = read(connection, response, room_bytes);
    *response_bytes = got > 0 ? (size_t)got : 0;
    return got > 0 ? STATUS_OK : STATUS_HARDWARE;
}

void tpm_link_close(void)
{
    close(connection);
}

uint64_t hw_rdtsc(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t hw_tsc_hz(void)
{
    return 1000000000;
}

void hw_delay_us(uint32_t us)
{
    usleep(us);
}

void base_log_sink(const char *line, size_t line_bytes)
{
    fwrite(line, 1, line_bytes, stdout);
}

_Noreturn void base_check_failed(const char *file, unsigned line, const char *expression)
{
    fprintf(stderr, "%s:%u: CHECK(%s) failed\n", file, line, expression);
    abort();
}

int main(int count, char **words)
{
    static const char *const names[] = {"found", "no TPM", "unusable"};
    uint8_t fresh[TPM_ROOT_BYTES], secret[TPM_ROOT_BYTES];

    long number = count > 1 ? strtol(words[1], NULL, 10) : 0;
    if (count > 3 || number <= 0 || number > 65535 || (count == 3 && strcmp(words[2], "none"))) {
        fprintf(stderr, "usage: tpm_root PORT [none]\n");
        return 2;
    }
    port = (unsigned short)number;
    if (getrandom(fresh, sizeof(fresh), 0) != sizeof(fresh)) {
        fprintf(stderr, "tpm_root: no random numbers\n");
        return 1;
    }
    enum tpm_root result = tpm_root_secret(count == 3 ? NULL : fresh, secret);
    printf("%s ", names[result]);
    for (unsigned i = 0; i < sizeof(secret); i++) {
        printf("%02x", secret[i]);
    }
    printf("\n");
    return 0;
}
