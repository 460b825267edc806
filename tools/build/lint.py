#!/usr/bin/python3
"""./nacre lint: layout (clang-format), static analysis (clang-tidy, cppcheck), shell scripts
(shellcheck) and the project's own rules (style.py), in parallel. --fix lets clang-format mend.

A file that passed clang-tidy is not analysed again until it, a header or the flags change.
"""

import concurrent.futures
import glob
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys

import style

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ['apps', 'bench', 'config', 'guests', 'libbase', 'libept', 'libsmp', 'libtpm', 'libtv',
           'libvmx', 'platform', 'sdk', 'site_scons', 'tests', 'third_party', 'tools']
TOP = ['SConstruct', 'nacre', '.ci/run']
ANALYSED = ('lib', 'platform/x86_64', 'apps')
STATE = 'build/lint'
GCC_ONLY = ('-fcallgraph-info', '-fno-ipa-icf', '-fstack-usage', '-Wstack-usage', '-Werror')


def project_files():
    found = [path for path in TOP if os.path.exists(path)]
    for folder in FOLDERS:
        for parent, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith(('.', '__')))
            found += [os.path.join(parent, name) for name in sorted(files)]
    return found


def is_shell(path):
    with open(path, 'rb') as file:
        first = file.readline()
    return first.startswith(b'#!') and first.split()[0].endswith((b'/sh', b'/bash'))


def command(name, arguments):
    """(what was checked, fault text or '')"""
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors='replace', check=False)
    return name, (result.stdout or 'failed\n') if result.returncode else ''


def clang_format(path, fix):
    if fix:
        subprocess.run(['clang-format', '-i', path], check=False)
    return command('clang-format ' + path, ['clang-format', '--dry-run', '--Werror', path])


def own_rules(path):
    return 'style ' + path, ''.join(fault + '\n' for fault in style.findings(path))


def python_syntax(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    try:
        compile(text, path, 'exec')
    except SyntaxError as fault:
        return 'python ' + path, '%s\n' % fault
    return 'python ' + path, ''


def output(words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def compile_commands():
    """{file: words of its compiler call}, made for clang."""
    result = subprocess.run(['scons', '-Q', 'build/compile_commands.json'], check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        sys.exit(result.stdout)
    with open('build/compile_commands.json', encoding='utf-8') as file:
        entries = json.load(file)
    gcc = output(['gcc', '-print-file-name=include'])
    binary = os.path.realpath(shutil.which('clang-tidy'))
    clang, = glob.glob(os.path.join(os.path.dirname(binary), '../lib/clang/*/include'))
    found = {}
    for entry in entries:
        if entry['file'].startswith(ANALYSED) and entry['file'].endswith('.c') \
                and not entry['output'].startswith(('build/host', 'build/coverage')):
            found[entry['file']] = [word.replace(gcc, clang)
                                    for word in shlex.split(entry['command'])[1:]
                                    if not word.startswith(GCC_ONLY)]
    return found


def clang_tidy(path, words, headers_digest):
    digest = hashlib.sha256(headers_digest + ' '.join(words).encode())
    with open(path, 'rb') as file:
        digest.update(file.read())
    stamp = os.path.join(STATE, path.replace('/', '-') + '.tidy')
    if os.path.exists(stamp):
        with open(stamp, encoding='ascii') as file:
            if file.read() == digest.hexdigest():
                return 'clang-tidy ' + path, ''
    name, fault = command('clang-tidy ' + path, ['clang-tidy', '--quiet', path, '--', *words])
    if not fault:
        with open(stamp, 'w', encoding='ascii') as file:
            file.write(digest.hexdigest())
    return name, fault


def cppcheck(paths, include):
    state = os.path.join(STATE, 'cppcheck')
    os.makedirs(state, exist_ok=True)
    return command('cppcheck', [
        'cppcheck', '--quiet', '--error-exitcode=1', '--std=c11', '--platform=unix64',
        # comparePointers is wrong about the symbols of a linker script.
        '--enable=warning,performance,portability', '--inline-suppr', '--suppress=missingInclude',
        '--suppress=comparePointers', '-j%d' % os.cpu_count(), '--cppcheck-build-dir=' + state,
        *('-I' + path for path in include), *paths])


def main():
    os.chdir(ROOT)
    if sys.argv[1:] not in ([], ['--fix']):
        print('lint: the only option is --fix', file=sys.stderr)
        sys.exit(2)
    os.makedirs(STATE, exist_ok=True)
    files = project_files()
    c_files = [path for path in files if path.endswith(('.c', '.h'))]
    own_c = [path for path in c_files if not path.startswith('third_party')]
    commands = compile_commands()
    digest = hashlib.sha256()
    for path in ['.clang-tidy', *(path for path in c_files if path.endswith('.h'))]:
        with open(path, 'rb') as file:
            digest.update(file.read())
    include = sorted({word[2:] for words in commands.values() for word in words
                      if word.startswith('-I')})

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(cppcheck, [path for path in commands], include)]
        jobs += [pool.submit(clang_tidy, path, words, digest.digest())
                 for path, words in sorted(commands.items())]
        jobs += [pool.submit(clang_format, path, '--fix' in sys.argv) for path in own_c]
        jobs += [pool.submit(own_rules, path) for path in files
                 if path.endswith(('.c', '.h', '.S', '.py', '.lds')) or path in TOP]
        jobs += [pool.submit(python_syntax, path) for path in files
                 if path.endswith('.py') or path == 'SConstruct']
        jobs += [pool.submit(command, 'shellcheck ' + path,
                             ['shellcheck', '-e', 'SC1010,SC1091', path])
                 for path in files if is_shell(path)]
        results = [job.result() for job in jobs]

    faults = [(name, text) for name, text in results if text]
    for name, text in faults:
        print('---- %s\n%s' % (name, text), end='')
    print('%d passed, %d failed' % (len(results) - len(faults), len(faults)))
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
