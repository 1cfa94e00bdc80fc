#!/bin/sh
# Installs what the crash tests and the interop suite need on Debian or Ubuntu: `sudo scripts/install-crash-tools.sh`.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  strace util-linux e2fsprogs xfsprogs fuse3 nbdkit nbdkit-plugin-python libnbd-bin faketime python3 python3-venv
# Kernels of virtual machines may have these as modules.
modprobe -a loop xfs fuse 2>/dev/null || true
