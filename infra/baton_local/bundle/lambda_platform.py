"""What Lambda runs on, and what it takes.

Lambda's Python 3.11 is on Amazon Linux 2 (glibc 2.26), so wheels must be of `manylinux2014` (glibc 2.17); those of
`manylinux_2_28` would be installed and fail when they are imported.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

PYTHON = (3, 11)
PYTHON_VERSION = ".".join(map(str, PYTHON))
FOLDER = "/var/task"  # where Lambda unpacks an archive

# Names as in CloudFormation's `Architectures`, and uv's for the same.
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024
