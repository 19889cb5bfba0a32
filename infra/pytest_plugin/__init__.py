"""What the fixtures of baton_pytest.py give a test: the stand-ins as servers, and faults on demand."""
