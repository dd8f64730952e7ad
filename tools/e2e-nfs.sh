#!/usr/bin/env bash
# Runs the tests of network file systems on a real NFS 4.2 mount, in a small
# virtual machine of its own (QEMU, in software), since the
# kernels of most build machines have no NFS. Needs Debian's packages
#   qemu-system-x86 seabios cpio kmod busybox-static nfs-kernel-server nfs-common rpcbind
# and apt's access to a kernel package (linux-image-cloud-amd64); no root.
set -euo pipefail
cd "$(dirname "$0")/.."
work=${HQMS_VM_DIR:-bin/vm}
mkdir -p "$work" && work=$(realpath "$work")

CGO_ENABLED=0 go test -c -o "$work/e2e.test" ./internal/e2e

if ! ls "$work"/kernel/boot/vmlinuz-* >/dev/null 2>&1; then
    image=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ {print $2; exit}')
    (cd "$work" && apt-get download "$image" && dpkg -x "$image"_*.deb kernel)
fi
version=$(ls "$work/kernel/lib/modules")

root=$work/root
rm -rf "$root"
mkdir -p "$root"/{bin,sbin,lib,lib64,proc,sys,dev,tmp,run,etc/exports.d,lib/modules,var/lib/nfs/rpc_pipefs,var/lib/nfs/v4recovery,var/lib/nfs/sm}
cp /bin/busybox "$root/bin/"
for applet in $(/bin/busybox --list | grep -vx busybox); do ln -s busybox "$root/bin/$applet"; done
for program in mount.nfs exportfs rpc.mountd rpc.nfsd rpcbind; do
    path=$(PATH=$PATH:/usr/sbin:/sbin command -v "$program")
    cp -L "$path" "$root/sbin/"
    ldd "$path" | grep -oE '/[^ ]+' | while read -r library; do
        mkdir -p "$root$(dirname "$library")" && cp -Lu "$library" "$root$library"
    done
done
cp /etc/netconfig "$root/etc/"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
printf 'tcp 6 TCP\nudp 17 UDP\n' >"$root/etc/protocols"
printf 'nfs 2049/tcp\nnfs 2049/udp\nsunrpc 111/tcp portmapper\nsunrpc 111/udp portmapper\n' >"$root/etc/services"
touch "$root"/var/lib/nfs/{etab,rmtab}
mkdir -p "$root/lib/modules/$version/kernel"
for part in fs net lib crypto; do cp -r "$work/kernel/lib/modules/$version/kernel/$part" "$root/lib/modules/$version/kernel/"; done
cp "$work/kernel/lib/modules/$version"/modules.{order,builtin}* "$root/lib/modules/$version/"
PATH=$PATH:/usr/sbin:/sbin depmod -b "$root" "$version"
cp "$work/e2e.test" bin/hqms-sidecar bin/hqms-sandbox "$root/bin/"

cat >"$root/init" <<'INIT'
#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs -o mode=1777 tmp /tmp
ip link set lo up
mkdir -p /exported /share
mount -t tmpfs exported /exported
modprobe nfsd; modprobe nfs; modprobe nfsv4
mount -t nfsd nfsd /proc/fs/nfsd
echo '/exported *(rw,no_root_squash,fsid=0,insecure,no_subtree_check)' >/etc/exports
echo 10 >/proc/fs/nfsd/nfsv4gracetime; echo 10 >/proc/fs/nfsd/nfsv4leasetime
rpcbind; exportfs -a; rpc.nfsd -N 3 4; rpc.mountd
until mount.nfs -o vers=4.2,hard 127.0.0.1:/ /share; do sleep 1; done
grep ' /share ' /proc/mounts
HQMS_E2E_BIN=/bin HQMS_NFS_SHARE=/share HQMS_NFS_SERVER=/exported e2e.test -test.run 'OnNFS' -test.v
echo "RESULT $?"
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"

accelerator=${HQMS_VM_ACCEL:-tcg,thread=multi} # kvm is quicker where it works; inside other virtual machines it may hang
timeout "${HQMS_VM_LIMIT:-600}" qemu-system-x86_64 -accel "$accelerator" -smp 2 -m 1536 -nographic -no-reboot \
    -kernel "$work"/kernel/boot/vmlinuz-"$version" -initrd "$work/initrd.gz" \
    -append 'console=ttyS0 quiet panic=-1' </dev/null | tee "$work/console.log"
grep -q '^RESULT 0' "$work/console.log" && grep -q -- '--- PASS: TestOnNFS' "$work/console.log"
