# shellcheck shell=sh
# The body of %%post, for a first installation alone.
conf=/etc/sysctl.d/80-lvs-director.conf
routers=/etc/sysctl.d/79-lvs-director-routers.conf

# Names of interfaces on which the kernel learned a route or a prefix from a router: RTF_ADDRCONF among
# the flags, which user space cannot set (linux/ipv6_route.h).
advertised() {
    while read -r _ _ _ _ _ _ _ _ flags name; do
        if [ $((0x$flags & 0x40000)) -ne 0 ]; then
            echo "$name"
        fi
    done </proc/net/ipv6_route | sort -u
}

# Before forwarding is on: it would take these routes at once.
if [ ! -e "$routers" ] && [ -r /proc/net/ipv6_route ]; then
    for name in $(advertised); do
        if [ "$(cat "/proc/sys/net/ipv6/conf/$name/accept_ra")" = 1 ]; then
            [ -e "$routers" ] || echo '# Interfaces on which routers were heard when lvs-director was installed.' >"$routers"
            echo "-net/ipv6/conf/$name/accept_ra = 2" >>"$routers"
        fi
    done
fi

# Takes effect now as far as the running kernel has the keys; otherwise with the next boot.
modprobe -q ip_vs 2>/dev/null || :
# As a boot would, with the site's own files, but for our keys alone.
sed -n 's/^-\{0,1\}\(net[^ =]*\) *=.*/--prefix=\1/p' "$routers" "$conf" 2>/dev/null |
    xargs -r /usr/lib/systemd/systemd-sysctl >/dev/null 2>&1 || :
