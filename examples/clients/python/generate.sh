#!/bin/sh
# Makes gen/ from the contract: generate.sh BUNDLE, where BUNDLE is what `npm run proto:bundle` wrote.
set -eu
bundle=$1
cd "$(dirname "$0")"
rm -rf gen && mkdir gen
# google/rpc comes with grpcio-status: generated twice it would be registered twice.
exec "${PYTHON:-python3}" -m grpc_tools.protoc -I "$bundle" --python_out=gen --grpc_python_out=gen \
  tally/v1/access.proto tally/v1/usage.proto tally/v1/quota_checker.proto \
  tally/v1/usage_recorder.proto buf/validate/validate.proto
