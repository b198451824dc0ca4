# shellcheck shell=bash
# What pi-chat is built for, by Debian's names of the architectures, and other
# systems, which get the programs of people only. Sourced, never run.

# Those that there are packages for.
# shellcheck disable=SC2034  # for the scripts that source this
architectures=(amd64 arm64 armhf)

# The newest glibc that a program may need: Debian 12's. What is built on a
# newer system does not start on an older one.
# shellcheck disable=SC2034  # for the scripts that source this
maximum_glibc=2.36

# What a program for Windows may need: this and no more is part of Windows 10.
# A compiler's own libraries are not.
# shellcheck disable=SC2034  # for the scripts that source this
windows_system_dlls='api-ms-win-core-[a-z0-9-]+|advapi32|bcryptprimitives|combase|gdi32|iphlpapi|kernel32|msvcrt|ntdll|secur32|shell32|user32|userenv|ws2_32'

# Sets, for an architecture: `triple`, Rust's name; `gnu`, which the names of
# its compiler and libraries begin with; `emulator`, which runs its programs;
# `compiler`, the Debian packages that link for it on another machine.
# shellcheck disable=SC2034  # for the scripts that source this
set_architecture() {
  case $1 in
  amd64)
    triple=x86_64-unknown-linux-gnu gnu=x86_64-linux-gnu emulator=qemu-x86_64-static
    compiler=(gcc-x86-64-linux-gnu libc6-dev-amd64-cross)
    ;;
  arm64)
    triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu emulator=qemu-aarch64-static
    compiler=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
    ;;
  armhf)
    triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf emulator=qemu-arm-static
    compiler=(gcc-arm-linux-gnueabihf libc6-dev-armhf-cross)
    ;;
  windows)
    triple=x86_64-pc-windows-gnu gnu=x86_64-w64-mingw32 emulator=
    compiler=(gcc-mingw-w64-x86-64-win32)
    ;;
  # Built on a Mac only, with what it brings along.
  macos-aarch64) triple=aarch64-apple-darwin gnu='' emulator='' compiler=() ;;
  macos-x86_64) triple=x86_64-apple-darwin gnu='' emulator='' compiler=() ;;
  *) die "no such architecture: $1 (known: ${architectures[*]} windows macos)" ;;
  esac
}

# Sets `programs`: what there is for an architecture. The server is for Linux.
# shellcheck disable=SC2034  # for the scripts that source this
set_programs() {
  case $1 in
  windows) programs=(chat-client.exe chat-peer.exe) ;;
  macos-*) programs=(chat-client chat-peer) ;;
  *) programs=(chat-server chat-client chat-peer) ;;
  esac
}

# Debian's name of this machine's architecture.
host_architecture() {
  dpkg --print-architecture 2>/dev/null || case $(uname -m) in
  x86_64) echo amd64 ;;
  aarch64) echo arm64 ;;
  *) echo armhf ;;
  esac
}

# Tells cargo what to link the chosen architecture's programs with, and what
# to run them with where this machine can't. (SQLite is C: the compiler of the
# same name is found by itself.) Nothing is told of this machine's own: another
# linker for what runs in each build would have all of it built again.
configure_cross_compiler() {
  [[ -n $gnu && $1 != "$(host_architecture)" ]] || return 0
  local name=${triple//-/_}
  name=${name^^}
  export "CARGO_TARGET_${name}_LINKER=$gnu-gcc"
  if [[ -n $emulator ]]; then
    export "CARGO_TARGET_${name}_RUNNER=$emulator -L /usr/$gnu"
  fi
}
