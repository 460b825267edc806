"""What tools make for emulators, made by several machines at once."""
import os
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
            self.assertEqual(os.listdir(os.path.join(folder, 'guests')), ['fixed-srand.so'])


if __name__ == '__main__':
    unittest.main()
