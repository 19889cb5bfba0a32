#!/bin/sh
# The site's AWS_LAMBDA_EXEC_WRAPPER: Lambda names its Python first, then its own runtime, which ours replaces.
cd "$LAMBDA_TASK_ROOT" && exec "$1" -m baton.server.lambda_runtime "$AWS_LAMBDA_RUNTIME_API" "$_HANDLER"
