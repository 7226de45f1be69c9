#!/bin/sh
# Generates charm.pb.go and charm_grpc.pb.go. Needs protoc (Debian's
# protobuf-compiler); the two Go generators are built at the versions below.
set -eu
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go
(cd / && GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.1)
PATH=$bin:$PATH protoc --go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative charm.proto
