"""The deployed functions, one file each; serverless.yml names them."""
