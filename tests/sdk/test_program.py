"""Programs with a PAL, simulated: both widths, static and not (REQ-PAL-12)."""

import os
import re
import unittest

import toolkit as sdk

ALL_PAL, ALL = os.path.join(sdk.HERE, 'all.pal.c'), os.path.join(sdk.HERE, 'all.c')
KEEPER_PAL = r'''
#include <nacre/pal.h>
static uint32_t keep(uint32_t open, uint8_t *blob, uint8_t *data)
{
    uint32_t bytes = 32;
    uint8_t secret[32] = "VARIANT";
    return open ? pal_unseal(blob, PAL_SEALED_BYTES(32), data, &bytes)
                : pal_seal(secret, 32, blob);
}
PAL(keep, PAL_INTEGER, PAL_IN_OUT(PAL_SEALED_BYTES(32)), PAL_OUT(32));
'''
KEEPER = r'''
#include <nacre/program.h>
#include <stdio.h>
int main(int count, char **arguments)
{
    struct pal *pal;
    uint64_t result = 0;
    uint8_t blob[32 + TV_SEALED_OVERHEAD] = {0}, data[33] = {0};
    FILE *file = fopen(arguments[1], count > 2 ? "rb" : "wb");
    if (file == NULL || (count > 2 && fread(blob, 1, sizeof(blob), file) != sizeof(blob)) ||
        pal_register(&pal_description, &pal) != TV_OK ||
        PAL_CALL(pal, &result, count > 2, blob, data) != TV_OK) {
        return 2;
    }
    if (count <= 2 && fwrite(blob, 1, sizeof(blob), file) != sizeof(blob)) {
        return 3;
    }
    fclose(file);
    puts(result == 0 ? (char *)data : tv_error_text((enum tv_error)result));
    return result != 0;
}
'''
THREADS_PAL = r'''
#include <nacre/pal.h>
static uint32_t wait_for(volatile uint32_t *parameter)
{
    (void)parameter;
    uint8_t random[4096];
    for (int i = 0; i < 400; i++) {
        if (pal_random(random, sizeof(random)) != TV_OK) {
            return 1;
        }
    }
    return 0;
}
PAL(wait_for, PAL_IN_OUT(4));
'''
THREADS = r'''
#include <nacre/program.h>
#include <pthread.h>
#include <stdio.h>
static struct pal *pal;
static int busy, done;
static void *work(void *unused)
{
    uint64_t result;
    uint32_t word = 0;
    enum tv_error error;
    while ((error = PAL_CALL(pal, &result, &word)) == TV_ERROR_PAL_BUSY) {
        __atomic_add_fetch(&busy, 1, __ATOMIC_SEQ_CST);
    }
    if (error == TV_OK && result == 0) {
        __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    }
    return unused;
}
int main(void)
{
    pthread_t thread[4];
    if (pal_register(&pal_description, &pal) != TV_OK) {
        return 1;
    }
    for (int i = 0; i < 4; i++) {
        pthread_create(&thread[i], NULL, work, NULL);
    }
    while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST) == 0) {
    }
    printf("unregister: %d\n", pal_unregister(pal) == TV_ERROR_PAL_BUSY);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    printf("done: %d\n", done);
    return pal_unregister(pal);
}
'''


class Program(sdk.FolderCase):
    def test_every_service(self):
        for width in sdk.WIDTHS:
            for kind in ('-static', '-rdynamic'):
                with self.subTest(width=width, kind=kind):
                    path = sdk.program(self.folder, width, ALL_PAL, ALL, kind)
                    done = sdk.simulated(path)
                    self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
                    said = dict(re.findall(r'^(\w+)=(\w+)$', done.stdout, re.MULTILINE))
                    identity, _ = sdk.measure(path)
                    self.assertEqual(said['measurement'], identity.hex())
                    evidence = bytes.fromhex(said['evidence'])
                    self.assertEqual(evidence[64:96], identity)
                    self.assertEqual(evidence[20], 4)       # TV_ROOT_SIMULATED
                    self.assertEqual(said['simulated'], '1')

    def test_without_trustvisor(self):
        path = sdk.program(self.folder, 64, ALL_PAL, ALL)
        done = sdk.run([path])
        self.assertEqual(done.returncode, 1)
        self.assertIn('failed: register: 49 no TrustVisor here', done.stdout)
        for value in ('0', '', 'yes'):
            done = sdk.run([path], env=dict(os.environ, PAL_SIMULATION=value))
            self.assertIn('register: 49', done.stdout)

    def test_sealed_data_outlives_the_process_and_is_one_pals(self):
        for width in sdk.WIDTHS:
            main = self.write('keeper.c', KEEPER)
            mine, other = (sdk.program(self.folder, width, self.write(
                name + '.pal.c', KEEPER_PAL.replace('VARIANT', name)), main, name=name)
                for name in ('mine', 'other'))
            blob = os.path.join(self.folder, 'blob')
            self.assertEqual(sdk.simulated(mine, blob).returncode, 0)
            self.assertEqual(sdk.simulated(mine, blob, 'open').stdout, 'mine\n')
            done = sdk.simulated(other, blob, 'open')
            self.assertEqual((done.returncode, done.stdout), (1, 'sealed to another PAL\n'))
            with open(blob, 'r+b') as file:
                file.seek(190)
                file.write(b'!')
            done = sdk.simulated(mine, blob, 'open')
            self.assertRegex(done.stdout, '^sealed blob was changed')

    def test_threads(self):
        path = sdk.program(self.folder, 64, self.write('threads.pal.c', THREADS_PAL),
                           self.write('threads.c', THREADS), '-pthread')
        done = sdk.simulated(path)
        self.assertEqual((done.returncode, done.stdout), (0, 'unregister: 1\ndone: 4\n'))

    def test_a_debugger_shows_the_pal(self):
        for width in sdk.WIDTHS:
            path = sdk.program(self.folder, width, ALL_PAL, ALL)
            shown = sdk.must(['gdb', '-nx', '-batch', '-ex', 'set env PAL_SIMULATION=1',
                              '-ex', 'set breakpoint pending on', '-ex', 'break use_sealing',
                              '-ex', 'run', '-ex', 'print calls', '-ex', 'bt', path])
            self.assertRegex(shown, r'all\.pal\.c:\d+')
            self.assertRegex(shown, r'#1 .*\ball \(.*all\.pal\.c')
            self.assertIn('$1 = 0', shown)

    def test_valgrind_finds_no_error(self):
        """In 64-bit programs; for 32-bit ones it needs symbols of libc that amd64 lacks."""
        path = sdk.program(self.folder, 64, ALL_PAL, ALL)
        command = ['valgrind', '-q', '--error-exitcode=9']
        done = sdk.run([*command, path], env=dict(os.environ, PAL_SIMULATION='1'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('simulated=1', done.stdout)
        wrong = self.write('wrong.pal.c', '#include <nacre/pal.h>\n'
                           'static int wrong(const uint8_t *at)\n'
                           '{ return *at == 7 ? (int)pal_service(TV_TEST, 1, 0, 0, 0) : 2; }\n'
                           'PAL(wrong, PAL_IN(1));\n')
        main = self.write('wrong.c', '#include <nacre/program.h>\n#include <stdlib.h>\n'
                          'int main(void) { struct pal *pal; uint64_t result;\n'
                          'pal_register(&pal_description, &pal);\n'
                          'PAL_CALL(pal, &result, malloc(1)); return 0; }\n')
        done = sdk.run([*command, sdk.program(self.folder, 64, wrong, main, name='wrong')],
                       env=dict(os.environ, PAL_SIMULATION='1'))
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertRegex(done.stderr, r'at 0x1000\w+: wrong ')

    def test_no_memory_to_lock(self):
        path = sdk.program(self.folder, 64, ALL_PAL, ALL)
        done = sdk.run(['sh', '-c', 'ulimit -l 0; exec setpriv --reuid 65534 --regid 65534 '
                        '--clear-groups --bounding-set=-all "$0"', path],
                       env=dict(os.environ, PAL_SIMULATION='1'))
        if 'setpriv' in done.stderr:
            self.skipTest(done.stderr)
        self.assertIn('failed: register: 51', done.stdout, done.stderr)


if __name__ == '__main__':
    unittest.main()
