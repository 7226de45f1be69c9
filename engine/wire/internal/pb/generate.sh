#!/bin/sh
# Writes the Go form of engine/wire/proto. Needs protoc (Debian:
# protobuf-compiler, libprotobuf-dev); its plugins run from the module proxy at
# exact versions.
set -eu
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
printf '#!/bin/sh\nexec go run google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12\n' >"$bin/protoc-gen-go"
printf '#!/bin/sh\nexec go run google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.1\n' >"$bin/protoc-gen-go-grpc"
chmod +x "$bin"/*
module=github.com/gantry-orchestrator/gantry/engine/wire/internal/pb
PATH=$bin:$PATH protoc -I ../../proto \
	--go_out=. --go_opt=module=$module \
	--go-grpc_out=. --go-grpc_opt=module=$module \
	../../proto/gantry/v1/*.proto
