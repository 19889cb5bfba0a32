"""Makes the archives that AWS Lambda runs, without Docker: our code and its libraries for Lambda's platform."""
