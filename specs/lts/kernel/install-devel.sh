#!/bin/sh
# install-devel.sh TREE OBJECTS TARGET: one folder, out of a source tree and its separate object
# tree, in which `make -C TARGET M=...` builds modules without having to prepare anything.
set -eu

tree=$1
objects=$2
target=$3

mkdir -p "$target"

# Makefiles and headers of the sources.
(
    cd "$tree"
    tar -cf - --exclude='scripts/dtc' --exclude='.gitignore' \
        Makefile Kbuild Kconfig include scripts \
        arch/x86/Makefile arch/x86/Makefile_32.cpu arch/x86/Kbuild arch/x86/Kconfig arch/x86/Kconfig.* \
        arch/x86/include arch/x86/entry/syscalls
) | tar -xf - -C "$target"

# What the build generated: configuration, headers, tools.  Its Makefile only leads back to TREE.
(
    cd "$objects"
    tar -cf - --exclude='*.o' --exclude='*.a' --exclude='*.s' --exclude='*.cmd' --exclude='.*.d' \
        --exclude='Makefile' --exclude='scripts/dtc' \
        .config Module.symvers include scripts arch/x86/include/generated tools/objtool/objtool
) | tar -xf - -C "$target"

# The tools are built with this machine's own paths and symbols in them: only the code goes along.
find "$target/scripts" "$target/tools" -type f -perm -0100 -exec sh -c '
    for file do
        case "$(head -c 4 "$file" | od -An -tx1)" in
        " 7f 45 4c 46") strip --strip-unneeded -R .comment "$file" ;;
        esac
    done' strip {} +
