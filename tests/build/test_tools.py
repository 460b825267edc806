"""What tools make for emulators, made by several machines at once."""
import os
import subprocess
import sys
import tempfile
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))

import bochs  # noqa: E402

THREADS = 6


class Parallel(unittest.TestCase):
    def test_first_machines_of_a_fresh_clone(self):
        """Each makes what is not there yet; none finds another's half-made file gone."""
        failures = []
        barrier = threading.Barrier(THREADS)

        def make():
            barrier.wait()
            try:
                bochs.preload()
            except Exception as failure:
                failures.append(str(failure))

        with tempfile.TemporaryDirectory() as folder:
            before, bochs.BUILD = bochs.BUILD, folder
            try:
                threads = [threading.Thread(target=make) for _ in range(THREADS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            finally:
                bochs.BUILD = before
            self.assertEqual(failures, [])
            self.assertEqual(os.listdir(os.path.join(folder, 'guests')), ['bochs-preload.so'])

    def test_two_machines_that_look_for_a_port_at_once(self):
        """The second is refused at bind(), from where Bochs goes on, not at listen()."""
        program = '''
import socket
first, second = socket.socket(), socket.socket()
for each in first, second:
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
first.bind(("127.0.0.1", 0))
try:
    second.bind(first.getsockname())
    print("bound twice")
except OSError:
    second.bind(("127.0.0.1", 0))
    second.listen()
    second.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    print("another port, keepalive", second.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
'''

        def output(**environment):
            done = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE,
                                  env=dict(os.environ, **environment), text=True, check=True)
            return done.stdout

        self.assertEqual(output(), 'bound twice\n')
        self.assertEqual(output(LD_PRELOAD=bochs.preload()), 'another port, keepalive 1\n')


if __name__ == '__main__':
    unittest.main()
