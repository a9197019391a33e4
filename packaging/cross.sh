#!/bin/bash
# Builds one target of a release: cross.sh GOOS GOARCH OUTPUT. It installs the
# Debian package of the cross compiler where it is missing, links the C++ library
# statically, and leaves nothing of this machine in the program: the same commit,
# Go and compiler give the same bytes.
set -euo pipefail
os=$1 arch=$2 out=$(realpath -m "$3") go=${GO:-go}
version=${VERSION:-$(git describe --tags --always --dirty)}

install() {
	local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
	echo "installing $*" >&2
	$sudo apt-get update -q >&2 && $sudo apt-get install -y -q --no-install-recommends "$@" >&2
}

case $os/$arch in
linux/amd64) prefix=x86_64-linux-gnu package=g++-x86-64-linux-gnu ;;
linux/arm64) prefix=aarch64-linux-gnu package=g++-aarch64-linux-gnu ;;
windows/amd64) prefix=x86_64-w64-mingw32ucrt package=g++-mingw-w64-ucrt64 ;;
*) echo "no compiler is known for $os/$arch" >&2; exit 2 ;;
esac

build() {
	local static; static=$(mktemp -d)
	trap 'rm -rf "$static"' RETURN
	local flags=-static-libgcc
	# A folder that has the static library alone, looked into first: glibc is the
	# only library that the program asks a machine for. (Windows' is static anyway.)
	[ "$os" = windows ] || { ln -s "$(realpath "$($prefix-g++ -print-file-name=libstdc++.a)")" "$static/libstdc++.a"; flags="$flags -L$static"; }
	CGO_ENABLED=1 GOOS=$os GOARCH=$arch CC=$prefix-gcc CXX=$prefix-g++ CGO_CFLAGS=-O2 CGO_CXXFLAGS=-O2 \
		$go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X glassward/cli.version=$version -linkmode external -extldflags '$flags -Wl,--build-id=none'" -o "$out" ./cmd/glassward
}

# DuckDB's library for Windows wants the compiler of the universal C runtime, which
# Debian has since release 13. An older machine builds in a folder of that release.
inside13() {
	[ "$(id -u)" = 0 ] || { echo "$package is not in this release of Debian: build on Debian 13 or newer, or as root, in a folder of Debian 13" >&2; exit 1; }
	local root=${DEBIAN13:-/var/cache/glassward-debian13}
	command -v debootstrap >/dev/null || install debootstrap
	[ -e "$root/usr/bin/$prefix-g++" ] || {
		debootstrap --variant=minbase --include="$package,gcc,libc6-dev,ca-certificates" trixie "$root" >&2
	}
	local goroot modules; goroot=$($go env GOROOT); modules=$($go env GOMODCACHE)
	$go mod download
	mkdir -p "$root"/{go,modules,source,out,cache}
	# A mount namespace of its own: what is mounted goes when the build ends.
	unshare --mount bash -euc '
		mount --bind "$1" "$5/go"; mount --bind "$2" "$5/modules"; mount --bind "$3" "$5/source"; mount --bind "$4" "$5/out"
		[ -e "$5/proc/self" ] || mount -t proc proc "$5/proc"
		exec chroot "$5" env -i HOME=/cache PATH=/go/bin:/usr/bin:/bin GOMODCACHE=/modules GOCACHE=/cache GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local VERSION="$6" \
			bash -c "cd /source && bash packaging/cross.sh $7 $8 /out/$9"
	' - "$goroot" "$modules" "$PWD" "$(dirname "$out")" "$root" "$version" "$os" "$arch" "$(basename "$out")"
}

mkdir -p "$(dirname "$out")"
if ! command -v $prefix-g++ >/dev/null; then
	apt-cache show $package >/dev/null 2>&1 || { [ "$(id -u)" = 0 ] && apt-get update -q >/dev/null; } || true
	if apt-cache show $package >/dev/null 2>&1; then
		install "$package"
	else
		inside13
		exit
	fi
fi
build
