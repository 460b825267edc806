#!/usr/bin/python3
"""Fetches the guests' Debian packages: a kernel and a static busybox for amd64 and for i386.

Nothing is installed and the machine's own apt state is left alone: the packages come through a
private apt state whose sources are those that this machine's apt already uses. The .deb files stay
in the cache (NACRE_CACHE, ~/.cache/nacre by default) and are unpacked below build/guests/.

    tools/kernels.py [--refresh] [amd64] [i386]
"""
import fcntl
import glob
import os
import shutil
import subprocess

from common import CACHE, GUESTS, Failure, Parser, main, private_name, readable, run

# Per guest architecture: the kernel's meta-package. Its dependency names the current version.
KERNELS = {"amd64": "linux-image-cloud-amd64", "i386": "linux-image-686-pae"}
RELEASE = "bookworm"
# Debian's security archive is not asked for i386: its kernel there is not maintained alike.
SECURITY = RELEASE + "-security"


def machine_sources():
    """The (URI, suite) pairs of Debian's main component that this machine's apt uses."""
    form = "$(REPO_URI) $(CODENAME) $(BASE_URI)"
    listing = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages",
                   "Origin: Debian", "Component: main"])
    sources = set()
    for line in listing.splitlines():
        uri, codename, base = line.split()
        if codename in (RELEASE, RELEASE + "-updates", SECURITY):
            suite = base[len(uri):].strip("/")
            sources.add((uri, suite[len("dists/"):]))
    if not any(suite == RELEASE for _, suite in sources):
        raise Failure("this machine's apt has no source for Debian %s: run apt-get update, "
                      "or give --kernel and --initrd" % RELEASE)
    return sorted(sources)


def apt_options(state, architecture):
    """Options that make every apt tool work on the private state only."""
    values = {
        "Dir::State": state, "Dir::State::Lists": os.path.join(state, "lists"),
        "Dir::State::status": os.path.join(state, "status"),
        "Dir::Cache": os.path.join(state, "cache"),
        "Dir::Etc::sourcelist": os.path.join(state, "sources.list"),
        "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": architecture, "APT::Architectures": architecture,
        "Acquire::Languages": "none", "APT::Sandbox::User": "root", "Acquire::Retries": "2",
    }
    return [word for name in sorted(values) for word in ("-o", "%s=%s" % (name, values[name]))]


def prepare_state(architecture):
    """Makes the private apt state of one architecture, reads the package lists into it."""
    state = os.path.join(CACHE, "apt-" + architecture)
    os.makedirs(os.path.join(state, "lists", "partial"), exist_ok=True)
    os.makedirs(os.path.join(state, "cache", "archives", "partial"), exist_ok=True)
    open(os.path.join(state, "status"), "a").close()
    with open(os.path.join(state, "sources.list"), "w") as out:
        for uri, suite in machine_sources():
            if architecture == "amd64" or suite != SECURITY:
                out.write("deb %s %s main\n" % (uri, suite))
    options = apt_options(state, architecture)
    run(["apt-get", "-qq"] + options + ["-o", "APT::Update::Error-Mode=any", "update"])
    return options


def kernel_package(options, meta):
    """The package that a kernel's meta-package stands for today."""
    listing = run(["apt-cache"] + options + ["depends", "--important", meta])
    for line in listing.splitlines():
        words = line.split()
        if words[:1] == ["Depends:"] and words[1].startswith("linux-image-"):
            return words[1]
    raise Failure("package %s names no kernel" % meta)


def cached_debs(architecture):
    """The kernel's and busybox's .deb in the cache, or None for what is not there."""
    flavour = KERNELS[architecture][len("linux-image-"):]
    found = []
    for pattern in ("linux-image-*-%s_*_%s.deb" % (flavour, architecture),
                    "busybox-static_*_%s.deb" % architecture):
        hits = glob.glob(os.path.join(CACHE, "debs", architecture, pattern))
        found.append(max(hits, key=os.path.getmtime) if hits else None)
    return found


def download(architecture):
    """Fetches both packages into the cache; apt verifies signatures and checksums."""
    debs = os.path.join(CACHE, "debs", architecture)
    os.makedirs(debs, exist_ok=True)
    try:
        options = prepare_state(architecture)
        wanted = [kernel_package(options, KERNELS[architecture]), "busybox-static"]
        fresh = os.path.join(debs, "fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        run(["apt-get", "-qq"] + options + ["download"] + wanted, cwd=fresh)
    except Failure as failure:
        raise Failure("cannot fetch the %s guest's packages (offline?): %s"
                      % (architecture, failure))
    for name in os.listdir(fresh):
        os.replace(os.path.join(fresh, name), os.path.join(debs, name))
    os.rmdir(fresh)


def unpack(deb, target, member):
    """Takes one file (by its path's beginning) out of a .deb without unpacking the rest."""
    archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    taken = subprocess.run(["tar", "-xO", "--wildcards", "--occurrence=1", member],
                           stdin=archive.stdout, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    archive.stdout.close()
    archive.wait()
    if taken.returncode != 0 or not taken.stdout:
        raise Failure("'%s' holds no %s: delete it to fetch it again" % (deb, member))
    temporary = private_name(target)
    with open(temporary, "wb") as out:
        out.write(taken.stdout)
    os.chmod(temporary, 0o755)
    os.utime(temporary, (os.path.getmtime(deb),) * 2)
    os.replace(temporary, target)


def ensure(architecture, refresh=False):
    """Returns (kernel, busybox) paths, fetching and unpacking them if they are not there yet."""
    if architecture not in KERNELS:
        raise Failure("no guest for architecture '%s': choose %s"
                      % (architecture, " or ".join(sorted(KERNELS))), 2)
    folder = os.path.join(GUESTS, architecture)
    kernel, busybox = (os.path.join(folder, name) for name in ("vmlinuz", "busybox"))
    os.makedirs(folder, exist_ok=True)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock-" + architecture), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if refresh or None in cached_debs(architecture):
            download(architecture)
        for deb, target, member in zip(cached_debs(architecture), (kernel, busybox),
                                       ("./boot/vmlinuz-*", "./bin/busybox")):
            if deb is None:
                raise Failure("the mirror's %s packages are not what was asked for" % architecture)
            if not os.path.exists(target) or os.path.getmtime(target) != os.path.getmtime(deb):
                unpack(deb, target, member)
    return readable(kernel, "kernel"), readable(busybox, "busybox")


def command(arguments):
    parser = Parser(description="Fetch the Debian guests' kernel and busybox.")
    parser.add_argument("--refresh", action="store_true", help="ask the mirror even if cached")
    parser.add_argument("architecture", nargs="*", choices=sorted(KERNELS) + [[]],
                        metavar="amd64|i386")
    options = parser.parse_args(arguments)
    for architecture in options.architecture or sorted(KERNELS):
        for path in ensure(architecture, options.refresh):
            print("%s %d bytes" % (os.path.relpath(path), os.path.getsize(path)))
    return 0


if __name__ == "__main__":
    main(command)
