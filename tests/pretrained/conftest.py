from tests.publisher import full_disk, served  # noqa: F401
