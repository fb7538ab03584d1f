#!/bin/sh
# Makes gen/ from the contract: generate.sh BUNDLE, where BUNDLE is what `npm run proto:bundle` wrote.
# Needs buf, protoc-gen-go and protoc-gen-go-grpc on the PATH.
set -eu
bundle=$1
cd "$(dirname "$0")"
rm -rf gen
exec buf generate "$bundle" --path "$bundle/tally" --path "$bundle/buf"
