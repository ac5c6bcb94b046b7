#!/bin/sh
# Collects what an image needs to run a program, and nothing else: the program, the libraries that it names, and a folder
# of its own. No shell, no package manager, no other program.
#   rootfs.sh PROGRAM FOLDER
set -eu

program=$1
root=$2
mkdir -p "$root/var/lib/guichet" "$root/tmp" "$root/etc/guichet"
chmod 1777 "$root/tmp"
chmod 0700 "$root/var/lib/guichet"
cp "$program" "$root/guichet"
chmod 0755 "$root/guichet"

# The loader and the libraries, each under the name by which the program asks for it.
ldd "$program" | sed -n -e 's/^.*=> \(\/[^ ]*\) .*$/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*\) .*$/\1/p' | sort -u |
    while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done

# Whose files these are, for programs that ask for a name.
printf 'guichet:x:65532:65532::/var/lib/guichet:/nonexistent\n' > "$root/etc/passwd"
printf 'guichet:x:65532:\n' > "$root/etc/group"
if [ "$(id -u)" = 0 ]; then
    chown 65532:65532 "$root/var/lib/guichet"
fi
