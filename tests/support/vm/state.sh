# shellcheck shell=sh
# Sourced in a booted image: who can log in, and what runs; a line "NAME: TEXT" each.
echo "hostname: $(cat /proc/sys/kernel/hostname)"
echo "password: $(sed -n 's/^root:\([^:]\).*/\1/p' /etc/shadow)"
echo "ssh: $(systemctl is-active ssh.service)"
echo "keepalived: $(systemctl is-active keepalived.service)"
echo "keys: $(find /etc/ssh -name 'ssh_host_*' -printf '%f ')"
echo "failed: $(systemctl list-units --state=failed --no-legend --plain | cut -d ' ' -f 1)"
echo "boots: $(journalctl --list-boots | grep -c '^ *-*[0-9]')"
echo "tools: $(for tool in nano tcpdump curl; do command -v "$tool"; done | tr '\n' ' ')"
[ ! -d /sys/firmware/efi ] || echo 'firmware: UEFI'
