# shellcheck shell=bash
# The architectures that pi-chat is built for, by Debian's names, and the other
# systems, which have the client and the peer only. Sourced, never run. It has
# to work with the Bash 3.2 of macOS.

# The architectures that have Debian packages.
# shellcheck disable=SC2034  # for the scripts that source this
architectures=(amd64 arm64 armhf)

# The maximum glibc version that a program may require: Debian 12's. A program
# built on a newer system does not start on an older one.
# shellcheck disable=SC2034  # for the scripts that source this
maximum_glibc=2.36

# Regular expression of the DLLs that a Windows program may require: those that
# are part of Windows 10. A compiler's own libraries are not.
# shellcheck disable=SC2034  # for the scripts that source this
windows_system_dlls='api-ms-win-core-[a-z0-9-]+|advapi32|bcrypt|bcryptprimitives|combase|gdi32|iphlpapi|kernel32|msvcrt|ntdll|secur32|shell32|user32|userenv|ws2_32'

# Sets the variables that describe an architecture: `triple`, Rust's name;
# `gnu`, the prefix of its compiler and library directories; `emulator`, which
# runs its programs on another machine; `compiler`, the Debian packages that
# link for it on another machine; `programs`, the executables that it has.
# shellcheck disable=SC2034  # for the scripts that source this
set_architecture() {
  programs=(chat-server chat-client chat-peer)
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
    compiler=(gcc-mingw-w64-x86-64-win32) programs=(chat-client.exe chat-peer.exe)
    ;;
  # Built on a Mac only, with Apple's compiler.
  macos-*)
    triple=${1#macos-}-apple-darwin gnu='' emulator='' compiler=() programs=(chat-client chat-peer)
    [[ $triple == aarch64-* || $triple == x86_64-* ]] || die "no such architecture: $1"
    ;;
  *) die "no such architecture: $1 (known: ${architectures[*]} windows macos)" ;;
  esac
}

# Prints Debian's name of this machine's architecture.
host_architecture() {
  dpkg --print-architecture 2>/dev/null || case $(uname -m) in
  x86_64) echo amd64 ;;
  aarch64) echo arm64 ;;
  *) echo armhf ;;
  esac
}

# Sets the flags of programs that are released. Most of what the dynamic linker changes
# in a program when it starts is a list of places to add its address to. Packed, that
# list takes 10 kB instead of 470 kB, all of which is read at the start: an idle server
# has 0.8 MB less in memory. It needs the glibc of Debian 12, and a linker that can do
# it: GNU's for ARM cannot.
set_release_flags() {
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-Clink-arg=-Wl,-z,pack-relative-relocs"
}

# Runs tests in release mode. The dependencies are shared with the packages. The project's
# own code is built in several units, which takes half the time on two cores.
test_release() {
  set_architecture "$(host_architecture)"
  set_release_flags
  cargo test --quiet --locked --release --target "$triple" \
    --config 'profile.release.package.pi-chat.codegen-units=16' "$@"
}

# Sets cargo's linker for an architecture, and the emulator that runs its
# programs on this machine. (For SQLite's C code cargo finds the compiler of the
# same name by itself.) Nothing is set for this machine's own architecture:
# another linker would have everything built again.
configure_cross_compiler() {
  [[ -n $gnu && $1 != "$(host_architecture)" ]] || return 0
  local name=${triple//-/_}
  name=${name^^}
  export "CARGO_TARGET_${name}_LINKER=$gnu-gcc"
  if [[ -n $emulator ]]; then
    export "CARGO_TARGET_${name}_RUNNER=$emulator -L /usr/$gnu"
  fi
}
