"""The arrows of the LIBS table hold: what is planted across them does not build."""

import os
import unittest

import tree


class Arrows(unittest.TestCase):
    def refused(self, files, *expected):
        changed = tree.copy()
        for name, text in files.items():
            changed.write(name, text)
        status, output = changed.scons()
        self.assertNotEqual(status, 0, output)
        for text in expected:
            self.assertIn(text, output)

    def test_public_header_of_an_undeclared_library(self):
        header = sorted(os.listdir(os.path.join(tree.ROOT, 'libvmx/include/vmx')))[0]
        self.refused({'libept/planted.c': '#include <vmx/%s>\n' % header},
                     'libept/planted.c', 'No such file or directory')

    def test_private_header_of_a_declared_library(self):
        self.refused({'libept/planted.h': '\n', 'libtv/planted.c': '#include "planted.h"\n'},
                     'libtv/planted.c', 'No such file or directory')

    def test_include_by_a_path(self):
        self.refused({'libvmx/planted.h': '\n',
                      'libept/planted.c': '#include "../libvmx/planted.h"\n'},
                     'libept', 'by a path')

    def test_extern_of_an_undeclared_library(self):
        self.refused({'libvmx/planted.c': 'int vmx_planted(void);\n'
                                          'int vmx_planted(void)\n{\n    return 1;\n}\n',
                      'libept/planted.c': 'int vmx_planted(void);\nint ept_planted(void);\n'
                                          'int ept_planted(void)\n{\n'
                                          '    return vmx_planted();\n}\n'},
                     'planted.o uses vmx_planted', 'libvmx.a')

    def test_extern_of_the_vcpu_interface_where_it_is_not_declared(self):
        self.refused({'libsmp/planted.c': 'unsigned vcpu_cpu(const void *);\n'
                                          'unsigned smp_planted(void);\n'
                                          'unsigned smp_planted(void)\n{\n'
                                          '    return vcpu_cpu((const void *)0);\n}\n'},
                     'planted.o uses vcpu_cpu')

    def test_libbase_uses_nothing(self):
        self.refused({'libbase/planted.c': 'int hw_planted(void);\nint base_planted(void);\n'
                                           'int base_planted(void)\n{\n'
                                           '    return hw_planted();\n}\n'},
                     'planted.o uses hw_planted')

    def test_c_library_call_that_is_not_on_the_list(self):
        self.refused({'libept/planted.c': 'void *malloc(unsigned long);\nvoid *ept_planted(void);\n'
                                          'void *ept_planted(void)\n{\n'
                                          '    return malloc(16);\n}\n'},
                     'planted.o uses malloc')

    def test_platform_calls_a_library_that_it_does_not_declare(self):
        self.refused({'libept/planted.c': 'int ept_planted(void);\n'
                                          'int ept_planted(void)\n{\n    return 1;\n}\n',
                      'platform/x86_64/planted.c': 'int ept_planted(void);\nint hw_planted(void);\n'
                                                   'int hw_planted(void)\n{\n'
                                                   '    return ept_planted();\n}\n'},
                     'planted.o uses ept_planted')

    def test_header_of_the_crypto_library_where_it_is_not_declared(self):
        self.refused({'libept/planted.c': '#include <bearssl.h>\n'},
                     'libept/planted.c', 'No such file or directory')

    def test_extern_of_the_crypto_library_where_it_is_not_declared(self):
        self.refused({'libept/planted.c': 'void br_sha1_init(void *);\nvoid ept_planted(void);\n'
                                          'void ept_planted(void)\n{\n    br_sha1_init(0);\n}\n'},
                     'planted.o uses br_sha1_init', 'libbearssl.a')
